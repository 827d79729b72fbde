# Completion of zae-limiter for zsh, behind compinit: source <(zae-limiter completion zsh)

_zae_limiter() {
	local line word meaning
	local -a offers
	local want_files=
	while IFS= read -r line; do
		word=${line%%$'\t'*} meaning=${line#*$'\t'}
		if [[ $word == :files ]]; then
			want_files=yes
		else
			offers+=("${word//:/\\:}${meaning:+:$meaning}")
		fi
	done < <("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	if [[ -n $want_files ]]; then
		compset -P '*='
		_files
	else
		_describe -V zae-limiter offers
	fi
}
compdef _zae_limiter zae-limiter
