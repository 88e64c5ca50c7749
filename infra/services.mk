# The rendered template of cluster-services, and the checks that need no account.
.PHONY: render-services
render-services: $(BIN)/.dev ## write infra/cluster-services/releases.yaml anew from the lock table
	@$(BIN)/python -m infra.tools.releases
