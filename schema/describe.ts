import { stringify } from "yaml";
import { FIELD_GROUPS } from "./fields";
import { isRequired, kongType, type Property, properties } from "./kong";

/** A field of the configuration in words, as docs, the command and editors show it. */
export interface FieldDescription {
	name: string;
	/** E.g. `set of strings`. */
	type: string;
	isRequired: boolean;
	/** Whether Kong keeps it encrypted and resolves vault references in it. */
	isSecret: boolean;
	/** The default as YAML on one line; nothing when there is none. */
	byDefault: string | undefined;
	/** Markdown. */
	meaning: string;
	/** As YAML on one line. */
	example: string;
	/** The choices, when there are only some. */
	choices: readonly string[];
	/** The page of the docs with the field. */
	page: string;
}

/** YAML on one line. */
const ON_ONE_LINE = { collectionStyle: "flow", lineWidth: 0 } as const;

function onOneLine(value: unknown): string {
	return stringify(value, ON_ONE_LINE).trim();
}

/** Describes a field; nothing when the plugin has no such field. */
export function describeField(wanted: string): FieldDescription | undefined {
	const found = properties.find(([name]) => name === wanted);
	if (!found) return undefined;
	const [name, property] = found;
	return {
		name,
		type: typeOf(property),
		isRequired: isRequired(name) && property.default === undefined,
		isSecret: property.kong?.referenceable === true,
		byDefault:
			property.default === undefined ? undefined : onOneLine(property.default),
		meaning: property.description,
		example: onOneLine(property.examples[0]),
		choices: property.enum ?? property.items?.enum ?? [],
		page: `docs/configuration.md#${anchorOf(name)}`,
	};
}

/** A field's type, e.g. `set of strings`. */
export function typeOf(property: Property): string {
	const kind = kongType(property);
	return /^(array|set|map)$/.test(kind) ? `${kind} of strings` : kind;
}

/** The heading of the docs under which a field stands, as in links to it. */
function anchorOf(name: string): string {
	const [purpose = ""] =
		Object.entries(FIELD_GROUPS).find(([, names]) =>
			names.some((one) => one === name),
		) ?? [];
	return purpose
		.toLowerCase()
		.replaceAll(/[^a-z0-9 -]/g, "")
		.replaceAll(" ", "-");
}
