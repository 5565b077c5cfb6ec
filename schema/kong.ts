import { configSchema } from "./fields";

/** A value of Kong's schema language; JSON, as the plugin server dumps it. */
export type KongValue =
	| string
	| number
	| boolean
	| readonly KongValue[]
	| { readonly [name: string]: KongValue };

/** The members of JSON Schema that schema/fields.ts uses. */
export interface Property {
	type: "string" | "number" | "integer" | "boolean" | "array" | "object";
	description: string;
	default?: KongValue;
	/** One, for the docs. */
	examples: readonly [KongValue];
	enum?: readonly string[];
	minLength?: number;
	maxLength?: number;
	exclusiveMinimum?: number;
	minimum?: number;
	maximum?: number;
	minItems?: number;
	uniqueItems?: boolean;
	/** Of an array, all strings. */
	items?: { enum?: readonly string[]; minLength?: number };
	/** Of an object, all strings. */
	additionalProperties?: { minLength: number };
	propertyNames?: { minLength: number; not: { enum: readonly string[] } };
	kong?: {
		match?: string;
		match_none?: readonly { pattern: string; err: string }[];
		encrypted?: boolean;
		referenceable?: boolean;
	};
}

/** The configuration fields by name, in their order. */
export const properties: [name: string, property: Property][] = Object.entries(
	configSchema.properties,
);

/** Whether a field must be given, in the eyes of Kong: a default counts as given. */
export function isRequired(name: string): boolean {
	return configSchema.required.some((required) => required === name);
}

/** A field's type in Kong's schema language. */
export function kongType({ type, uniqueItems }: Property): string {
	if (type === "array") return uniqueItems ? "set" : "array";
	return type === "object" ? "map" : type;
}

/**
 * The configuration fields in Kong's schema language, with attributes that work for a JavaScript
 * plugin and in Konnect alike (Kong fact: functions do not).
 */
export const kongFields = properties.map(([name, property]) => ({
	[name]: defined({
		type: kongType(property),
		description: property.description,
		required: isRequired(name) || undefined,
		default: property.default,
		one_of: property.enum,
		elements: property.items && texts(property.items),
		keys: property.propertyNames && {
			...texts(property.propertyNames),
			match_none: property.propertyNames.not.enum.map((claim) => ({
				pattern: `^${claim}$`,
				err: `${claim} cannot be set here`,
			})),
		},
		values:
			property.additionalProperties && texts(property.additionalProperties),
		len_min: property.minLength ?? property.minItems,
		len_max: property.maxLength,
		gt: property.exclusiveMinimum,
		between:
			property.minimum === undefined || property.maximum === undefined
				? undefined
				: [property.minimum, property.maximum],
		...property.kong,
	}),
}));

const PROTOCOLS = ["grpc", "grpcs", "http", "https"];

/**
 * The fields of the plugin entity: `protocols` is in every other plugin's schema, and without it decK sends
 * it anew with each sync (Kong fact).
 */
export const kongEntityFields: readonly KongValue[] = [
	{
		protocols: {
			type: "set",
			required: true,
			default: PROTOCOLS,
			elements: { type: "string", one_of: PROTOCOLS },
		},
	},
	{ config: { type: "record", fields: kongFields } },
];

function texts({
	enum: one_of,
	minLength: len_min,
}: {
	enum?: readonly string[];
	minLength?: number;
}): Record<string, KongValue> {
	return defined({ type: "string", one_of, len_min });
}

function defined(
	attributes: Record<string, KongValue | undefined>,
): Record<string, KongValue> {
	return Object.fromEntries(
		Object.entries(attributes).flatMap(([name, value]) =>
			value === undefined ? [] : [[name, value]],
		),
	);
}
