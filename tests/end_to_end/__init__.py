"""Both tiers together."""
