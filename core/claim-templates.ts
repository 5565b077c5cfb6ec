/** The templates of a configuration. */
import type { ConfigFields } from "../schema/fields";
import type { Platform } from "./platform";
import { misconfigured } from "./refusals";
import { parseTemplate, parseValue, type Template } from "./template";
import { distinct } from "./values";
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
	folds: readonly string[];
	/** Distinct variables of all of them. */
	variables: string[];
}

/** Fields of the configuration that hold templates. */
type Field = "add_claims" | "set_claims" | "audience" | "subject";

/**
 * Parses the templates of a configuration.
 *
 * @param attempt runs what may throw a refusal for a field; gives undefined when it did
 */
export function parseClaimTemplates(
	config: Pick<ConfigFields, Field | "apikey_header" | "remove_claims">,
	platform: Platform,
	attempt: <T>(field: Field, action: () => T) => T | undefined,
): ClaimTemplates {
	const all: Template[] = [];
	const parse = (
		parser: typeof parseValue,
		text: string,
		field: Field,
		place: string,
	): Template[] => {
		const parsed = attempt(field, () => {
			const template = parser(text, place, platform);
			for (const variable of template.variables)
				requireVariable(variable, place, config);
			return template;
		});
		if (!parsed) return [];
		all.push(parsed);
		return [parsed];
	};
	const parseClaims = (field: "add_claims" | "set_claims") =>
		Object.entries(config[field] ?? {})
			.sort(([one], [other]) => (one < other ? -1 : 1))
			.flatMap(([claim, text]) => {
				attempt(field, () => requireUsable(claim, field, platform));
				const place = `config/${field}/${claim}`;
				return parse(parseValue, text, field, place).map((template) => ({
					claim,
					template,
				}));
			});
	const added = parseClaims("add_claims");
	const set = parseClaims("set_claims");
	for (const { claim, template } of set)
		if (claim === "client_id")
			attempt("set_claims", () => requireTrusted(template));
	const audience = config.audience?.flatMap((text, index) =>
		parse(parseTemplate, text, "audience", `config/audience/${index}`),
	);
	const [subject] =
		config.subject === undefined
			? []
			: parse(parseTemplate, config.subject, "subject", "config/subject");
	const names = [
		...[...added, ...set].map(({ claim }) => claim),
		...(config.remove_claims ?? []),
	];
	return {
		added,
		set,
		audience,
		subject,
		folds: distinct(names.map((name) => platform.fold(name) ?? name)),
		variables: distinct(all.flatMap((template) => template.variables)),
	};
}

/** Claims that backends must not find in two spellings. */
const OWN = [
	"iss",
	"iat",
	"exp",
	"nbf",
	"aud",
	"jti",
	"act",
	"sub",
	"cnf",
	"client_id",
];

/** @throws {Refusal} for a claim that some backend would take for one of the plugin's own */
function requireUsable(claim: string, field: Field, platform: Platform): void {
	const fold = platform.fold(claim) ?? claim;
	const imitated = OWN.find((own) => own.toUpperCase() === fold);
	if (imitated !== undefined && claim !== imitated)
		throw misconfigured(
			`config/${field}/${claim} differs from ${imitated} by its spelling only; some backends would take it for that claim`,
		);
	if (claim === "__proto__")
		throw misconfigured(
			`config/${field}/${claim} is no claim that a backend in JavaScript can read`,
		);
}

const CLIENT_ID = "config/set_claims/client_id";

/** @throws {Refusal} when a template for `client_id` is up to the client, or a constant that is not a text */
function requireTrusted(template: Template): void {
	const untrusted = template.variables.find(
		(variable) => findVariable(variable)?.isTrusted !== true,
	);
	if (untrusted !== undefined)
		throw misconfigured(
			`${CLIENT_ID}: the client chooses $(${untrusted}) itself; allowed are those of ${trustedRoots().join(", ")}`,
		);
	const constant =
		template.variables.length === 0 ? template.resolve(() => undefined) : "any";
	if (typeof constant !== "string" || constant === "")
		throw misconfigured(`${CLIENT_ID}: a text is expected`);
}
