"""What is said across documents: names that meet, independent studies, and claims that disagree."""
