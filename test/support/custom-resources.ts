/**
 * Checks Kubernetes objects that are Kong's by their definitions, all others by Kubernetes' own schema:
 *
 *   node -r ts-node/register test/support/custom-resources.ts FOLDER-OF-DEFINITIONS FILE…
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv, { type Schema } from "ajv";
import { parseAllDocuments } from "yaml";
import { type Manifest, validateManifest } from "./manifests";

/** What is in JSON. */
interface Json {
	[member: string]: unknown;
}

/** What we need of a CustomResourceDefinition. */
interface Definition {
	spec: {
		group: string;
		scope: "Cluster" | "Namespaced";
		names: { kind: string };
		versions: { name: string; schema: { openAPIV3Schema: Json } }[];
	};
}

/** Both kinds of a custom plugin's object. */
const PLUGIN = "configuration.konghq.com/v1";

/** Patterns of definitions are those of Go, which has `(?i)`. */
const regExp = Object.assign(
	(pattern: string) =>
		new RegExp(
			pattern.replace("(?i)", ""),
			pattern.includes("(?i)") ? "iu" : "u",
		),
	{ code: "go" },
);

const ajv = new Ajv({
	strict: false,
	validateFormats: false,
	allErrors: true,
	code: { regExp },
});

const TEXT = { type: "string", minLength: 1 };

/** An object with these members and no others, of which all but the last so many are there. */
const exactly = (properties: Json, optional = 0) => ({
	type: "object",
	properties,
	required: Object.keys(properties).slice(
		0,
		Object.keys(properties).length - optional,
	),
	additionalProperties: false,
});

/** What the definitions of KongPlugin and KongClusterPlugin ask for, in our own words, of what we use of them. */
function pluginSchema(secretKeyRef: Json): Schema {
	const fromSecret = exactly({ secretKeyRef });
	return {
		...exactly(
			{
				apiVersion: { const: PLUGIN },
				kind: TEXT,
				metadata: { type: "object", required: ["name"] },
				plugin: TEXT,
				config: { type: "object" },
				configFrom: fromSecret,
				configPatches: {
					type: "array",
					items: exactly({
						path: { type: "string", pattern: "^/" },
						valueFrom: fromSecret,
					}),
				},
			},
			3,
		),
		allOf: ["config", "configPatches"].map((other) => ({
			not: { required: ["configFrom", other] },
		})),
	};
}

const SECRET = { name: TEXT, key: TEXT };

/** The check of each kind, for where the definitions are not at hand. */
const KNOWN = new Map([
	[`${PLUGIN}/KongPlugin`, ajv.compile(pluginSchema(exactly(SECRET)))],
	[
		`${PLUGIN}/KongClusterPlugin`,
		ajv.compile(pluginSchema(exactly({ ...SECRET, namespace: TEXT }))),
	],
]);

/** Rules of definitions that JSON Schema does not say (CEL), by what Kubernetes answers. */
const RULES: { [message: string]: (object: Json) => boolean } = {
	"Using both config and configFrom fields is not allowed.": (object) =>
		!("config" in object && "configFrom" in object),
	"Using both configFrom and configPatches fields is not allowed.": (object) =>
		!("configFrom" in object && "configPatches" in object),
	// Of an object and the one before it: there is but one here.
	"The plugin field is immutable": () => true,
};

/**
 * Checks an object that is one of Kong's by what is said of its kind, and any other by Kubernetes' schema.
 *
 * @param definitions of Kong's kinds, by `group/version/kind`; by default our own of KongPlugin and KongClusterPlugin
 * @throws naming the kind and what is wrong
 */
export function validateObject(
	manifest: Manifest,
	definitions: Map<string, (object: Json) => string | undefined> = new Map(
		[...KNOWN].map(([name, check]) => [
			name,
			(object) => (check(object) ? undefined : ajv.errorsText(check.errors)),
		]),
	),
): void {
	const { apiVersion, kind } = manifest;
	const check = definitions.get(`${apiVersion}/${kind}`);
	if (!check) {
		validateManifest(manifest);
		return;
	}
	const fault = check(manifest);
	if (fault) throw new Error(`${kind}: ${fault}`);
}

/** The checks of a folder of CustomResourceDefinitions, by `group/version/kind`. */
function definitionsOf(folder: string) {
	const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
	const checks = new Map<string, (object: Json) => string | undefined>();
	for (const file of files.filter((name) => name.endsWith(".yaml"))) {
		const text = readFileSync(join(folder, file), "utf8");
		for (const document of parseAllDocuments(text)) {
			const { kind, spec } = document.toJS() as Definition & { kind: string };
			if (kind !== "CustomResourceDefinition") continue;
			for (const { name, schema } of spec.versions)
				checks.set(
					`${spec.group}/${name}/${spec.names.kind}`,
					checkOf(schema.openAPIV3Schema),
				);
		}
	}
	return checks;
}

function checkOf(schema: Json): (object: Json) => string | undefined {
	return (object) => {
		const validate = ajv.compile(closed(schema) as Schema);
		if (!validate(object)) return ajv.errorsText(validate.errors);
		const rules = (schema["x-kubernetes-validations"] ?? []) as Json[];
		for (const { message } of rules) {
			const isKept = RULES[String(message)];
			if (!isKept) console.log(`not checked: ${message}`);
			else if (!isKept(object)) return String(message);
		}
		return undefined;
	};
}

/** A schema that refuses members it does not name, which Kubernetes drops without a word. */
function closed(schema: unknown): unknown {
	if (Array.isArray(schema)) return schema.map(closed);
	if (typeof schema !== "object" || schema === null) return schema;
	const members: Json = Object.fromEntries(
		Object.entries(schema).map(([name, value]) => [name, closed(value)]),
	);
	const isOpen =
		members.type !== "object" ||
		members.properties === undefined ||
		members.additionalProperties !== undefined ||
		members["x-kubernetes-preserve-unknown-fields"] === true;
	return isOpen ? members : { ...members, additionalProperties: false };
}

if (require.main === module) {
	const [folder = "", ...files] = process.argv.slice(2);
	const definitions = definitionsOf(folder);
	for (const file of files)
		for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
			const manifest: Manifest = document.toJS();
			try {
				validateObject(manifest, definitions);
				console.log(`${file}: ${manifest.kind} ok`);
			} catch (error) {
				console.error(`${file}: ${(error as Error).message}`);
				process.exitCode = 1;
			}
		}
}
