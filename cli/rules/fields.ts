/** The fields of a plugin entry: what Kong rejects, what the plugin rejects at start, and what is seldom meant. */
import { isMap, isScalar, type Node } from "yaml";
import type { Warning } from "../../core/warnings";
import { fieldNode, type PluginEntry } from "../../declarative/model";
import { lookup } from "../../declarative/text";
import { quoted } from "../../jwk/printable";
import { properties } from "../../schema/kong";
import { mostSimilar } from "../similar";
import { atField, type Found, type Said } from "./rule";
import type { Aside, CheckedEntry } from "./subjects";

/** The fields of one string that read templates. */
const TEMPLATES = ["subject"];

/** Nobody reads more of them. */
const MOST_UNKNOWN = 100;

const EXPLAIN = (field: string) =>
	`\`x-custom-jwt config explain ${field}\` prints what it accepts.`;

/** The fields of one kind of aside, each as a finding. */
function asides(
	{ entry, asides }: CheckedEntry,
	wanted: Aside,
	say: (field: string) => Said,
): Found[] {
	return [...asides]
		.filter(([, aside]) => aside === wanted)
		.slice(0, MOST_UNKNOWN)
		.map(([field]) => atField(entry, field, say(field)));
}

export function unknownField(checked: CheckedEntry): Found[] {
	return asides(checked, "unknown", (field) => {
		const meant = checked.meant.get(field);
		return {
			message: `${quoted(field)} is not a field of the plugin, so Kong rejects the file`,
			cure: meant
				? `Did you mean ${meant}?`
				: "Remove it; docs/configuration.md has the fields.",
		};
	});
}

export function nullField(checked: CheckedEntry): Found[] {
	return asides(checked, "null", (field) => ({
		message: `${field} is null, but required, so Kong rejects the file`,
		cure: "Give it a value, or remove the line to get the default.",
	}));
}

/** Whether a fault is the key's. */
const isOfKey = ({ field }: { field: string }) => field === "private_jwk";

export function invalidField({ entry, faults, config }: CheckedEntry): Found[] {
	return faults
		.filter((fault) => !isOfKey(fault))
		.map(({ field, message }) => {
			const member = memberIn(entry, field, message);
			const meant = choiceMeant(field, config[field]);
			const said = {
				message: message.replace(/^config\//, ""),
				cure: meant
					? `Did you mean ${meant}?`
					: member && isScalar(member) && typeof member.value !== "string"
						? "Put the value in quotes: without them, YAML makes a number of digits, and true or false of yes, no, on and off."
						: EXPLAIN(field),
			};
			return member
				? { ...atField(entry, field, said), offset: member.range?.[0] ?? 0 }
				: atField(entry, field, said);
		});
}

/** The member of a field, such as one claim, that a message is about. */
function memberIn(
	entry: PluginEntry,
	field: string,
	message: string,
): Node | undefined {
	const node = fieldNode(entry, field);
	if (!isMap(node)) return undefined;
	const name = node.items
		.map(({ key }) => String(isScalar(key) ? key.value : ""))
		.find((key) => message.startsWith(`config/${field}/${key} `));
	return name === undefined ? undefined : lookup(entry.file, node, name);
}

/** The choice that a value of a field, or in its list, most likely is. */
function choiceMeant(field: string, value: unknown): string | undefined {
	const property = properties.find(([name]) => name === field)?.[1];
	const choices = property?.enum ?? property?.items?.enum ?? [];
	return [value]
		.flat()
		.filter((one) => typeof one === "string" && !choices.includes(one))
		.map((one) => mostSimilar(String(one), choices))
		.find((one) => one !== undefined);
}

export function invalidKey({ entry, faults }: CheckedEntry): Found[] {
	return faults.filter(isOfKey).map(({ field, message }) =>
		atField(entry, field, {
			message: message.replace(/^config\//, ""),
			cure: "`x-custom-jwt keys import` reads the key and names what is wrong with it; `x-custom-jwt keys generate` makes a new one.",
		}),
	);
}

export function hiddenKey(checked: CheckedEntry): Found[] {
	return asides(checked, "hidden-key", (field) => ({
		message: `${field} is a reference, so the key itself was not checked, nor what depends on it`,
		cure: "With --env, references to environment variables are resolved and checked.",
	})).filter(() => checked.unset.size === 0);
}

export function filledIn(checked: CheckedEntry): Found[] {
	return asides(checked, "filled-in", (field) => ({
		message: `${field} is filled in by decK, so it was not checked`,
		cure: "With --env, decK's variables are resolved and checked.",
	})).filter(() => checked.unset.size === 0);
}

export function variableNotSet({ entry, unset }: CheckedEntry): Found[] {
	return [...unset].map(([field, { variable, message }]) =>
		atField(entry, field, {
			message: `${field} refers to the environment variable ${quoted(variable)}, which ${message} here`,
			cure: "Set it for Kong (for decK, if it begins with DECK_), and run this check in the same environment.",
		}),
	);
}

export function referenceAsText(checked: CheckedEntry): Found[] {
	return asides(checked, "reference-as-text", (field) => ({
		message: `${field} is a vault reference, but Kong takes it for the value itself: only private_jwk may be a reference`,
		cure: "Write the value into the file, or let decK fill it in from a variable.",
	}));
}

export function referenceRejected(checked: CheckedEntry): Found[] {
	return asides(checked, "reference-rejected", (field) => ({
		message: `${field} is a vault reference, which Kong rejects: only private_jwk may be a reference`,
		cure: "Write the value into the file, or let decK fill it in from a variable.",
	}));
}

export function templateNotRead({ entry, config }: CheckedEntry): Found[] {
	return Object.entries(config)
		.filter(
			([field, value]) =>
				typeof value === "string" &&
				/\$\([a-z_]+\.[a-z_.]+\)/i.test(value) &&
				field !== "private_jwk" &&
				!TEMPLATES.includes(field),
		)
		.map(([field]) =>
			atField(entry, field, {
				message: `${field} has a template, but templates are not read in this field`,
				cure: "Write the value itself; docs/claims.md has the fields that read templates.",
			}),
		);
}

/** Warnings of one kind, which an instance logs too. */
function warnings(
	{ entry, warnings }: CheckedEntry,
	id: Warning["id"],
	cure: string,
): Found[] {
	return warnings
		.filter((warning) => warning.id === id)
		.map(({ field, message }) =>
			atField(entry, field, {
				message: message.replace(/^config\//, ""),
				cure,
			}),
		);
}

export function testKey(checked: CheckedEntry): Found[] {
	return warnings(
		checked,
		"test-key",
		"Make a key of your own: `x-custom-jwt keys generate`. Where the test keys are meant, give --ignore test-key.",
	);
}

export function keyInteroperability(checked: CheckedEntry): Found[] {
	return warnings(
		checked,
		"key-interoperability",
		"Write the key again with `x-custom-jwt keys import`; docs/keys.md explains.",
	);
}

export function methodsNotToldApart(checked: CheckedEntry): Found[] {
	return warnings(
		checked,
		"methods-not-told-apart",
		"Add auth_method: $(auth.method) to set_claims, or accept one method only.",
	);
}

export function issuersNotToldApart(checked: CheckedEntry): Found[] {
	return warnings(
		checked,
		"issuers-not-told-apart",
		"Add idp: $(auth.issuer) to set_claims, or remove jwt from auth_methods.",
	);
}

export function claimChosenByClient(checked: CheckedEntry): Found[] {
	return warnings(
		checked,
		"claim-chosen-by-client",
		"Take the value from what Kong knows, such as $(consumer.custom_id); docs/claims.md has the variables.",
	);
}

export function reuseWithoutEffect(checked: CheckedEntry): Found[] {
	return warnings(
		checked,
		"reuse-without-effect",
		"Remove $(request.id), or remove reuse_for.",
	);
}
