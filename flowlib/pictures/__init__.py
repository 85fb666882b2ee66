"""The moving pictures of the lessons, a file a lesson: what a slider draws, in the lesson and in its demo."""
