"""The front end: takes a photo of a bill, asks the model server, shows the answer."""
