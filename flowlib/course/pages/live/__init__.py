"""Live figures: flows that pages compute themselves (flow.js), drawn and moved (live.js), lesson by lesson."""
