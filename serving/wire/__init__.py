"""What goes over the wire: messages, method paths, tensors. Imports neither server nor client."""
