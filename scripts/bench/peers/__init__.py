"""The servers that Runroom is measured against, each the way its documentation shows it."""
