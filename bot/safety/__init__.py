"""What keeps strangers, hostile text and mistaken models from doing harm. The rules are one pure function."""
