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

/** Rules of definitions that JSON Schema does not say (CEL), by what Kubernetes answers. */
const RULES: { [message: string]: (object: Json) => boolean } = {
	"Using both config and configFrom fields is not allowed.": (object) =>
		!("config" in object && "configFrom" in object),
	"Using both configFrom and configPatches fields is not allowed.": (object) =>
		!("configFrom" in object && "configPatches" in object),
	// Of an object and the one before it: there is but one here.
	"The plugin field is immutable": () => true,
};

/** What is wrong with an object of a kind, if anything. */
type Check = (object: Json) => string | undefined;

/**
 * Checks an object by the definition of its kind, and one without a definition by Kubernetes' schema.
 *
 * @param definitions by `group/version/kind`
 * @throws naming the kind and what is wrong
 */
export function validateObject(
	manifest: Manifest,
	definitions: Map<string, Check>,
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
export function definitionsOf(folder: string): Map<string, Check> {
	const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
	const checks = new Map<string, Check>();
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

function checkOf(schema: Json): Check {
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
