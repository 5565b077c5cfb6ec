import { parseAllDocuments } from "yaml";

/** A Kubernetes object. */
export interface Manifest {
	apiVersion: string;
	kind: string;
	[member: string]: unknown;
}

/**
 * Checks an object by Kubernetes' own JSON schema for its kind. It finds wrong types and missing members; members that
 * Kubernetes does not know it lets pass.
 *
 * @throws naming the member at fault
 */
export function validateManifest(manifest: Manifest): void {
	const { apiVersion, kind } = manifest;
	const models = require(`kubernetes-models/${apiVersion}/${kind}`);
	new models[kind](manifest).validate();
}

/**
 * Checks all objects of a YAML text, such as `helm template` writes.
 *
 * @returns the kinds it found
 * @throws naming kind and member
 */
export function validateYaml(yaml: string): string[] {
	return parseAllDocuments(yaml)
		.map((document) => document.toJS() as Manifest | null)
		.flatMap((manifest) => {
			if (!manifest) return [];
			try {
				validateManifest(manifest);
			} catch (error) {
				throw new Error(`${manifest.kind}: ${(error as Error).message}`);
			}
			return [manifest.kind];
		});
}
