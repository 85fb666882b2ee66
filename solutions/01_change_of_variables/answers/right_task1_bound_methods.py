"""
task: task1
why: binds the names to methods of one object
"""


class Maps:
    def there(self, z, shift, scale):
        return shift + scale * torch.sinh(z), math.log(abs(scale)) + torch.cosh(z).log()

    def back(self, x, shift, scale):
        z = torch.asinh((x - shift) / scale)
        return z, -self.there(z, shift, scale)[1]


maps = Maps()
sinh_forward = maps.there
sinh_inverse = maps.back
