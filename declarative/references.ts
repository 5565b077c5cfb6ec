/** Whether a value is Kong's reference to a secret in a vault, `{vault://…}`. */
export function isVaultReference(value: unknown): value is string {
	return typeof value === "string" && /^\{vault:\/\/[^}]+\}$/.test(value);
}

/** Whether a value has something in it that decK fills in, `${{ env "DECK_…" }}`. */
export function isFilledIn(value: unknown): value is string {
	return typeof value === "string" && /\$\{\{.*\}\}/s.test(value);
}

/**
 * Returns a variable in a text that a tool should have replaced before: `${NAME}` and `$NAME` of envsubst, or `{{ … }}` of
 * Helm and others. Kong and decK take it for the text itself.
 */
export function leftOverIn(text: string): string | undefined {
	const [, ofShell, ofTemplates] =
		/\$(\{[A-Za-z_]\w*(?:[:\-+?=#%/^,][^{}]*)?\}|[A-Z_][A-Z0-9_]*$)|(?<!\$)(\{\{[^{}]*\}\})/.exec(
			text,
		) ?? [];
	if (ofTemplates) return "{{ … }}";
	const name = /\w+/.exec(ofShell ?? "")?.[0];
	return name && (ofShell?.startsWith("{") ? `\${${name}}` : `$${name}`);
}

/** Whether a text stands for another that is not to be seen here. */
export function isReference(value: unknown): value is string {
	return isVaultReference(value) || isFilledIn(value);
}

/** What a reference stands for in an environment. */
export type Resolved =
	| { value: string }
	/** Names the environment variable, and what is wrong with it. */
	| { variable: string; message: string };

/** By the prefix of a vault in references, what its environment variables begin with. */
export type EnvironmentVaults = ReadonlyMap<string, string>;

/**
 * Resolves a reference as Kong's env vault does, or a value as decK does.
 *
 * @param environment the variables of Kong and of decK
 * @param vaults those of the configuration that read the environment, beside `env` itself
 * @returns nothing when the environment has no part in it, e.g. for another vault
 */
export function resolve(
	value: string,
	environment: Readonly<Record<string, string | undefined>>,
	vaults: EnvironmentVaults,
): Resolved | undefined {
	if (!isVaultReference(value)) return filledIn(value, environment);
	const url = value.slice(1, -1);
	if (!URL.canParse(url)) return undefined;
	const { hostname, pathname, searchParams } = new URL(url);
	const prefix = hostname === "env" ? "" : vaults.get(hostname);
	if (prefix === undefined) return undefined;
	const parts = pathname.split("/").filter(Boolean);
	const member =
		parts.length > 1 && !pathname.endsWith("/") ? parts.pop() : undefined;
	const name = parts.join("/");
	const variable = ((searchParams.get("prefix") ?? prefix) + name)
		.replaceAll("-", "_")
		.toUpperCase();
	const text = environment[variable];
	if (!text) return { variable, message: "is not set" };
	if (member === undefined) return { value: text };
	const found = memberOf(text, member);
	return found === undefined
		? {
				variable,
				message: `is not JSON with a string ${JSON.stringify(member)}`,
			}
		: { value: found };
}

/** A string of a JSON object. */
function memberOf(text: string, name: string): string | undefined {
	try {
		const member: unknown = Object(JSON.parse(text))[name];
		return typeof member === "string" ? member : undefined;
	} catch {
		return undefined;
	}
}

/** decK's variables, without functions behind them. */
function filledIn(
	value: string,
	environment: Readonly<Record<string, string | undefined>>,
): Resolved | undefined {
	const VARIABLE = /\$\{\{\s*env\s+(["'])(\w+)\1\s*\}\}/g;
	const names = [...value.matchAll(VARIABLE)].map(([, , name = ""]) => name);
	const missing = names.find((name) => !environment[name]);
	if (missing) return { variable: missing, message: "is not set" };
	const text = value.replaceAll(
		VARIABLE,
		(_, __, name: string) => environment[name] ?? "",
	);
	return names.length && !isFilledIn(text) ? { value: text } : undefined;
}
