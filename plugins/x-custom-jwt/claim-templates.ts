import type { ConfigFields } from "../../schema/fields";
import { folds } from "./copied-claims";
import { Misconfigured } from "./errors";
import { parseTemplate, parseValue, type Template } from "./template";
import { findVariable, requireVariable, trustedRoots } from "./variables";

/** A claim whose value is a template. */
export interface ClaimTemplate {
	claim: string;
	template: Template;
}

/** The templates of a configuration, parsed. */
export interface ClaimTemplates {
	/** Of `add_claims`. */
	added: ClaimTemplate[];
	/** Of `set_claims`. */
	set: ClaimTemplate[];
	audience: Template[] | undefined;
	subject: Template | undefined;
	/** Folded names of the claims that the configuration adds, sets or removes, which no copied claim may imitate. */
	folds: ReadonlySet<string>;
	/** Distinct variables of all of them. */
	variables: string[];
}

/** Fields of the configuration that hold templates. */
type Field = "add_claims" | "set_claims" | "audience" | "subject";

/**
 * Parses the templates of a configuration.
 *
 * @param attempt runs what may throw `Misconfigured` for a field; gives undefined when it did
 */
export function parseClaimTemplates(
	config: Pick<ConfigFields, Field | "apikey_header" | "remove_claims">,
	attempt: <T>(field: Field, action: () => T) => T | undefined,
): ClaimTemplates {
	const all: Template[] = [];
	const parse = (
		parser: typeof parseValue,
		text: string,
		field: Field,
		member?: string | number,
	): Template | undefined =>
		attempt(field, () => {
			const place = ["config", field, member].filter(isGiven).join("/");
			const template = parser(text, place);
			for (const variable of template.variables)
				requireVariable(variable, place, config);
			if (place === CLIENT_ID) requireTrusted(template);
			all.push(template);
			return template;
		});
	const parseClaims = (field: "add_claims" | "set_claims") =>
		Object.entries(config[field] ?? {}).flatMap(([claim, text]) => {
			const template = parse(parseValue, text, field, claim);
			return template ? [{ claim, template }] : [];
		});
	const added = parseClaims("add_claims");
	const set = parseClaims("set_claims");
	const audience = config.audience
		?.map((text, index) => parse(parseTemplate, text, "audience", index))
		.filter(isGiven);
	const subject =
		config.subject === undefined
			? undefined
			: parse(parseTemplate, config.subject, "subject");
	const variables = all.flatMap((template) => template.variables);
	return {
		added,
		set,
		audience,
		subject,
		folds: folds([
			...[...added, ...set].map(({ claim }) => claim),
			...(config.remove_claims ?? []),
		]),
		variables: [...new Set(variables)],
	};
}

const CLIENT_ID = "config/set_claims/client_id";

/** @throws {Misconfigured} when a template for `client_id` is up to the client, or a constant that is no text */
function requireTrusted(template: Template): void {
	const untrusted = template.variables.find(
		(variable) => !findVariable(variable)?.isTrusted,
	);
	if (untrusted)
		throw new Misconfigured(
			`${CLIENT_ID}: the client chooses $(${untrusted}) itself; allowed are those of ${trustedRoots().join(", ")}`,
		);
	const constant =
		template.variables.length === 0 ? template.resolve(() => {}) : "any";
	if (typeof constant !== "string" || constant === "")
		throw new Misconfigured(`${CLIENT_ID}: a text is expected`);
}

function isGiven<T>(value: T | undefined): value is T {
	return value !== undefined;
}
