"""Whether two shapes of math answers say the same."""
