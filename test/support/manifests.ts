/** Checks the Kubernetes objects on standard input, as `helm template` writes them. */
import { text } from "node:stream/consumers";
import { parseAllDocuments } from "yaml";

/** A Kubernetes object. */
export interface Manifest {
	apiVersion: string;
	kind: string;
	[member: string]: unknown;
}

/**
 * Checks an object by Kubernetes' own JSON schema for its kind, and that a probe does one thing. It finds wrong types and missing
 * members; members that Kubernetes does not know it lets pass.
 *
 * @throws naming the kind and the member at fault
 */
export function validateManifest(manifest: Manifest): void {
	const { apiVersion, kind } = manifest;
	const models = require(`kubernetes-models/${apiVersion}/${kind}`);
	try {
		new models[kind](manifest).validate();
	} catch (error) {
		throw new Error(`${kind}: ${(error as Error).message}`);
	}
	JSON.stringify(manifest, (name, value) => {
		if (/Probe$/.test(name) && handlersOf(value) !== 1)
			throw new Error(`${kind}: ${name} must have one handler`);
		return value;
	});
}

/** How many of a probe's ways to ask are there; Kubernetes takes exactly one. */
function handlersOf(probe: object): number {
	const handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
	return Object.keys(probe).filter((name) => handlers.includes(name)).length;
}

async function main(): Promise<void> {
	for (const document of parseAllDocuments(await text(process.stdin))) {
		const manifest: Manifest | null = document.toJS();
		if (!manifest) continue;
		validateManifest(manifest);
		console.log(`${manifest.kind} ok`);
	}
}

if (require.main === module)
	main().catch((error: Error) => {
		console.error(error.message);
		process.exitCode = 1;
	});
