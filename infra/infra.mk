# The platform: included by the Makefile. ENV is integration, staging or production; LAYERS limits what is deployed.
ENV    ?=
LAYERS ?=
# sam build needs the functions' own Python (sam.mk looks for it).
DEPLOY  = $(if $(PYTHON313),PATH="$(dir $(PYTHON313)):$$PATH") $(BIN)/python -m infra.tools.deploy

.PHONY: env-given
env-given:
	@case "$(ENV)" in integration|staging|production) ;; *) echo "Say which environment: ENV=integration, staging or production" >&2; exit 2;; esac

.PHONY: deploy-platform
deploy-platform: env-given $(BIN)/.dev $(SAM_VENV)/.ready ## show the change sets of ENV's layers and, once confirmed, execute them (LAYERS="cluster-access …", YES=1, REPLACE=1)
	@$(DEPLOY) $(ENV) $(LAYERS) $(if $(YES),--yes) $(if $(REPLACE),--replace) $(if $(ROLE),--role $(ROLE))

.PHONY: plan-platform
plan-platform: env-given $(BIN)/.dev $(SAM_VENV)/.ready ## show what deploying ENV would change, and change nothing
	@$(DEPLOY) $(ENV) $(LAYERS) --plan $(if $(ROLE),--role $(ROLE)) $(if $(MARKDOWN),--markdown $(MARKDOWN))

# The router's own stack: template.yaml, with the parameters and the region of samconfig.toml.
.PHONY: deploy-router
deploy-router: env-given $(BIN)/.dev $(SAM_VENV)/.ready ## show the change set of ENV's router and, once confirmed, execute it (YES=1, REPLACE=1)
	@$(DEPLOY) $(ENV) router $(if $(YES),--yes) $(if $(REPLACE),--replace) $(if $(ROLE),--role $(ROLE))

.PHONY: plan-router
plan-router: env-given $(BIN)/.dev $(SAM_VENV)/.ready ## show what deploying ENV's router would change, and change nothing
	@$(DEPLOY) $(ENV) router --plan $(if $(ROLE),--role $(ROLE)) $(if $(MARKDOWN),--markdown $(MARKDOWN))

.PHONY: drift-platform
drift-platform: env-given $(BIN)/.dev ## find what was changed by hand in ENV; fails when anything was
	@$(BIN)/python -m infra.tools.drift $(ENV) $(if $(MARKDOWN),--markdown $(MARKDOWN))

.PHONY: drift-router
drift-router: env-given $(BIN)/.dev ## the same for ENV's router
	@$(BIN)/python -m infra.tools.drift $(ENV) router $(if $(MARKDOWN),--markdown $(MARKDOWN))

.PHONY: bootstrap-platform
bootstrap-platform: env-given $(BIN)/.dev $(SAM_VENV)/.ready ## once in an account, by a person: the roles by which GitHub Actions deploys (needs the SAM CLI)
	@$(BIN)/python -m infra.tools.bootstrap $(ENV)

.PHONY: bootstrap-router
bootstrap-router: env-given $(BIN)/.dev $(SAM_VENV)/.ready ## the same in the router's account: the roles by which GitHub Actions deploys the router
	@$(BIN)/python -m infra.tools.bootstrap $(ENV) router

.PHONY: render-platform
render-platform: $(BIN)/.dev ## write what is rendered: access from personas.yaml, the deploying roles' rights from the templates
	@$(BIN)/python -m infra.tools.access
	@$(BIN)/python -m infra.tools.permissions
