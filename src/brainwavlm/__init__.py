"""Fine-tune speech models on recordings of people listening to stories, and score what that changed."""

__version__ = "0.1.0"
