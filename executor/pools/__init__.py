"""Where a node's work runs: on the loop, in threads or in processes that can be killed."""
