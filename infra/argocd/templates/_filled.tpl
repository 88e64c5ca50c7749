{{- /* A text with every ${Name} of a fact replaced. Takes text and facts. */ -}}
{{- define "argocd.filled" -}}
{{- $text := .text -}}
{{- range $name, $fact := .facts -}}
{{- $text = replace (printf "${%s}" $name) (toString $fact) $text -}}
{{- end -}}
{{- $text -}}
{{- end -}}
