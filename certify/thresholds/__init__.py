"""From which temperature on there is one stationary policy: structural forms, localisation, search."""
