# The serverless way: everything that needs the SAM CLI, which lives in an environment of its own (its pins and ours differ).
SAM_VENV ?= .venv-sam
SAM      := $(SAM_VENV)/bin/sam
export SAM_CLI_TELEMETRY := 0
AWS_DEFAULT_REGION ?= eu-west-1
export AWS_DEFAULT_REGION

# A python3.13 that runs, and the folder it really lives in: what stands on PATH may be a shim that only says which versions exist.
PYTHON313 = $(shell bash -c 'for p in $$(type -aP python3.13) "$$(pyenv prefix 3.13 2>/dev/null)/bin/python3.13"; do \
	"$$p" -c "import sys, pip; print(sys.executable)" 2>/dev/null && break; done')

FUNCTION ?= ReceiveFunction
ENVELOPE ?= events/receive/alertmanager-firing.json
SAM_LOCAL_FLAGS ?=

$(SAM_VENV)/.ready: requirements/sam.txt
	@test -x $(SAM_VENV)/bin/python || $(PYTHON) -m venv $(SAM_VENV)
	@$(SAM_VENV)/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements/sam.txt
	@touch $@

.PHONY: sam-tools
sam-tools: $(SAM_VENV)/.ready ## make the SAM CLI's environment

.PHONY: validate
validate: $(SAM_VENV)/.ready $(BIN)/.dev ## lint every CloudFormation and SAM template of the repository
	$(SAM) validate --lint --template-file template.yaml
	@git ls-files -co --exclude-standard -- '*.yaml' '*.yml' '*.json' ':!tests' \
		| xargs grep -lE '^(AWSTemplateFormatVersion|Transform):|"AWSTemplateFormatVersion"' \
		| xargs -t $(BIN)/cfn-lint --

.PHONY: build
build: $(SAM_VENV)/.ready ## build the functions and layers for Lambda into .aws-sam
	@test -n "$(PYTHON313)" || { echo "sam build needs a python3.13 with pip on PATH (or known to pyenv): install one and run this again" >&2; exit 1; }
	PATH="$(dir $(PYTHON313)):$$PATH" $(SAM) build

.aws-sam/build/template.yaml:
	@$(MAKE) --no-print-directory build

.PHONY: invoke
invoke: .aws-sam/build/template.yaml ## run one function in a container: make invoke FUNCTION=DecideFunction ENVELOPE=events/decide/…
	$(SAM) local invoke $(FUNCTION) -e $(ENVELOPE) --env-vars events/env.json $(SAM_LOCAL_FLAGS)

.PHONY: start-api
start-api: .aws-sam/build/template.yaml ## serve the HTTP API on a local port, functions in containers
	$(SAM) local start-api --warm-containers EAGER --env-vars events/env.json $(SAM_LOCAL_FLAGS)

.PHONY: python313
python313:
	@echo "$(PYTHON313)"
