"""The executor: runs workflows and reports what happens over the bridge."""
