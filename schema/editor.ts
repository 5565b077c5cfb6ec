/** JSON Schema for editors: Kong's declarative configuration with the plugin's fields in it. */
import { version } from "../package.json";
import { describeField } from "./describe";
import { configSchema } from "./fields";
import { properties } from "./kong";
import { Name } from "./name";

/** Where the schema lies in the package. */
export const EDITOR_SCHEMA = "schema/kong.schema.json";

/** Where editors get the schema of this version. */
export const EDITOR_SCHEMA_URL = `https://unpkg.com/kong-plugin-x-custom-jwt@${version}/${EDITOR_SCHEMA}`;

type Json = Record<string, unknown>;

/** Whatever decK or a vault fills in stands for any value. */
const FILLED_IN = { type: "string", pattern: "\\$\\{\\{.*\\}\\}" };

/** One field: what JSON Schema knows of it, with the words of the docs. */
function fieldSchema(name: string): Json {
	const [, property] = properties.find(([one]) => one === name) ?? [];
	const about = describeField(name);
	const { kong: _, description, ...rules } = { ...property };
	const { expected, default: byDefault, examples, ...own } = rules as Json;
	return {
		description,
		markdownDescription: `${description}\n\nExample: \`${about?.example}\` (${about?.page})`,
		...(byDefault !== undefined && { default: byDefault }),
		examples,
		if: FILLED_IN,
		// biome-ignore lint/suspicious/noThenProperty: JSON Schema has this keyword
		then: true,
		else: {
			...own,
			type: [property?.type, "null"],
			...(property?.enum && { enum: [...property.enum, null] }),
			...(expected !== undefined && {
				patternErrorMessage: `Expected: ${expected}.`,
			}),
		},
	};
}

const list = (item: string): Json => ({
	type: "array",
	items: { $ref: `#/definitions/${item}` },
});

/** An entity in which there may be plugin entries. */
const entity = (members: Json = {}): Json => ({
	type: "object",
	properties: { plugins: list("plugin"), ...members },
});

/** The schema of a file for Kong or decK; of other plugins and entities it says nothing. */
export function editorSchema(): Json {
	return {
		$schema: "http://json-schema.org/draft-07/schema#",
		$id: EDITOR_SCHEMA_URL,
		title: "Kong's declarative configuration with the plugin x-custom-jwt",
		type: "object",
		properties: {
			_format_version: { type: "string" },
			plugins: list("plugin"),
			services: list("service"),
			routes: list("entity"),
			consumers: list("entity"),
			consumer_groups: list("entity"),
			"add-plugins": list("entity"),
		},
		definitions: {
			entity: entity(),
			service: entity({ routes: list("entity") }),
			plugin: {
				type: "object",
				properties: { name: { type: "string", examples: [Name] } },
				if: { required: ["name"], properties: { name: { const: Name } } },
				// biome-ignore lint/suspicious/noThenProperty: JSON Schema has this keyword
				then: {
					properties: { config: { $ref: "#/definitions/config" } },
					if: { required: ["_config"] },
					else: {
						required: ["config"],
						properties: { config: { required: requiredFields() } },
					},
				},
			},
			config: {
				type: "object",
				additionalProperties: false,
				properties: Object.fromEntries(
					properties.map(([name]) => [name, fieldSchema(name)]),
				),
			},
		},
	};
}

/** The fields without which there is no sound entry. */
function requiredFields(): string[] {
	return configSchema.required.filter(
		(name) => describeField(name)?.isRequired,
	);
}
