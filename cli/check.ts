import { relative, resolve } from "node:path";
import type { JWK } from "jose";
import { isRefusal } from "../core/refusals";
import {
	type Configuration,
	configOf,
	expressionRoutes,
	fieldPosition,
	findJwks,
	type JwksLookup,
	membersOf,
	type PluginEntry,
	pluginsOn,
	type Route,
	routesOf,
	type ServedJwks,
} from "../declarative/model";
import { pathFault } from "../declarative/paths";
import {
	isFilledIn,
	isReference,
	isVaultReference,
} from "../declarative/references";
import {
	contentOf,
	type Position,
	positionAt,
	positionOf,
} from "../declarative/text";
import { canonical, formFault } from "../jwk/canonical";
import { certificateFault } from "../jwk/certificates";
import { interopWarnings } from "../jwk/interop";
import { isForSignatures, isPrivate } from "../jwk/members";
import { quoted } from "../jwk/printable";
import { nameOf } from "../jwk/public-members";
import { Name } from "../plugins/x-custom-jwt";
import { prepare } from "../plugins/x-custom-jwt/config";
import { configSchema } from "../schema/fields";
import { isRequired, properties } from "../schema/kong";
import { packageRoot } from "../schema/package-root";
import { checkMethods } from "./check-methods";
import { BadUse } from "./files";
import { parseJwks, publicHalf, thumbprint } from "./named-jwk";
import { signingOf } from "./signing";

/** One thing worth knowing about a configuration. */
export interface Finding extends Position {
	/** `error`: requests or verifications fail, or a key is given away. `warning`: probably not as meant. */
	severity: "error" | "warning" | "info";
	message: string;
}

/** Kong's plugins that authenticate and run before this one. */
const SECURITY_PLUGINS = [
	"basic-auth",
	"hmac-auth",
	"jwt",
	"key-auth",
	"key-auth-enc",
	"ldap-auth",
	"ldap-auth-advanced",
	"mtls-auth",
	"oauth2",
	"oauth2-introspection",
	"openid-connect",
	"session",
	"vault-auth",
];

/** Kong Enterprise's plugins that authenticate, but after this one: whom they find is not seen. */
const LATER_SECURITY_PLUGINS = [
	"jwt-signer",
	"ai-mcp-oauth2",
	"saml",
	"header-cert-auth",
];

/**
 * Checks every plugin entry of x-custom-jwt and the JWK Sets their `jku` leads to.
 *
 * @returns the findings in the order of their places
 */
export async function checkConfiguration(
	configuration: Configuration,
): Promise<Finding[]> {
	const findings = configuration.files.flatMap((file) =>
		file.faults.map(
			({ message, offset }): Finding => ({
				...positionAt(file, offset),
				severity: "error",
				message,
			}),
		),
	);
	const entries = configuration.plugins.filter(({ name }) => name === Name);
	const sets = new Map<PluginEntry, ServedJwks>();
	for (const entry of entries) {
		const { jku = configSchema.properties.jku.default } = configOf(entry);
		const found = findJwks(configuration, jku);
		const { served, map } = found;
		if (served) sets.set(served.plugin, served);
		if (map)
			findings.push({
				...positionOf(map.plugin.file, map.body),
				severity: "error",
				message: `the JWK Set of route ${map.route.name} is a YAML map, which Kong refuses: body is a text, so put it behind \`body: |\` as JSON`,
			});
		findings.push(
			...checkFields(entry),
			...checkRoutes(configuration, entry),
			...checkRouting(configuration, entry, found),
			...(await checkPublished(entry, served)),
		);
	}
	for (const served of sets.values())
		findings.push(...checkSet(configuration, served));
	for (const route of configuration.routes)
		findings.push(...checkIntrospection(configuration, route));
	for (const route of configuration.routes)
		for (const fault of route.paths.map(pathFault))
			if (fault)
				findings.push({
					...positionOf(route.file, route.map),
					severity: "error",
					message: `route ${route.name}: ${fault}`,
				});
	for (const file of configuration.files)
		if (!file.faults.length && !entries.some((entry) => entry.file === file))
			findings.push({
				...positionAt(file, 0),
				severity: "info",
				message: `no plugin entry of ${Name} in this file`,
			});
	return findings.sort(
		(a, b) =>
			a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column,
	);
}

function finding(
	entry: PluginEntry,
	field: string,
	severity: Finding["severity"],
	message: string,
): Finding {
	const text = `${entry.name} on ${entry.scope}: ${message}`;
	return { ...fieldPosition(entry, field), severity, message: text };
}

/** The fields of one entry: what Kong refuses, then what the plugin does. */
function checkFields(entry: PluginEntry): Finding[] {
	const findings: Finding[] = [];
	const config = configOf(entry);
	const add = (field: string, severity: Finding["severity"], text: string) =>
		findings.push(finding(entry, field, severity, text));

	const nulls = nullFields(entry).filter(isRequired);
	for (const field of nulls)
		add(field, "error", `${field} is null, but required; Kong refuses it`);
	for (const [field, value] of Object.entries(config)) {
		const property = properties.find(([name]) => name === field)?.[1];
		if (!property) {
			add(
				field,
				"error",
				`${quoted(field)} is no field of it; Kong refuses it`,
			);
			delete config[field];
		} else if (property.kong?.referenceable && isReference(value)) {
			add(
				field,
				"info",
				`${field} is a reference: what it stands for was not checked, nor what depends on it`,
			);
		} else if (isFilledIn(value)) {
			add(field, "info", `${field} is filled in by decK: it was not checked`);
			delete config[field];
		} else if (isVaultReference(value)) {
			const { type, kong, enum: values } = property;
			const isText = type === "string" && !kong?.match && !values;
			add(
				field,
				isText ? "warning" : "error",
				isText
					? `${field} is a vault reference, which Kong takes for a text here: only private_jwk may be one`
					: `${field} is a vault reference, which Kong refuses here: only private_jwk may be one`,
			);
			if (!isText) delete config[field];
		} else if (property.uniqueItems && Array.isArray(value)) {
			// Kong's sets drop duplicates.
			config[field] = [...new Set(value)];
		}
	}
	const hasHiddenKey = isReference(config.private_jwk);
	const { faults, warnings } = prepare(config, {
		hasHiddenKey,
		thorough: true,
	});
	for (const { field, message } of faults)
		if (!nulls.includes(field))
			add(field, "error", message.replace(/^config\//, ""));
	const isExample = isInPackage(entry.file.path);
	for (const { field, message, onlyInExamples } of warnings.filter(
		({ isForLog }) => !isForLog,
	))
		add(
			field,
			onlyInExamples && !isExample ? "error" : "warning",
			message.replace(/^config\//, ""),
		);
	return findings;
}

/** Whether a file lies in this package's folder, as its examples do. */
function isInPackage(path: string): boolean {
	return !relative(packageRoot(), resolve(path)).startsWith("..");
}

/** Fields that are given as null, which Kong takes for none. */
function nullFields({ configs, file }: PluginEntry): string[] {
	return configs.flatMap((map) =>
		Object.entries(Object(contentOf(file, map)))
			.filter(([, value]) => value === null)
			.map(([field]) => field),
	);
}

/** What runs beside an entry, on each route it runs on. */
function checkRoutes(
	configuration: Configuration,
	entry: PluginEntry,
): Finding[] {
	const { audience, unauthenticated } = configOf(entry);
	return routesOf(configuration, entry).flatMap((route) => {
		const plugins = pluginsOn(configuration, route);
		const names = plugins.map(({ name }) => name);
		const isGuarded = names.some((name) => SECURITY_PLUGINS.includes(name));
		if (entry.kind !== "route" && plugins.some(answersWell)) {
			const isOpen = unauthenticated === "pass" && !isGuarded;
			const closed = `it runs on route ${route.name} too, whose answer comes from request-termination, and refuses with 401 who asks there: no JWK Set is fetched, no token introspected. Put it on Services that need it`;
			return isOpen ? [] : [finding(entry, "", "error", closed)];
		}
		const at = (severity: Finding["severity"], text: string) => {
			const node = entry.kind === "route" ? entry : route;
			const message = `${entry.name} on ${entry.scope}: ${text}`;
			return { ...positionOf(node.file, node.map), severity, message };
		};
		const later = names.find((name) => LATER_SECURITY_PLUGINS.includes(name));
		return [
			...(route.service || audience !== undefined
				? []
				: [
						at(
							"error",
							`route ${route.name} has no service, so tokens would have no audience and every request is answered with 500: put it on a route with a service, or set audience`,
						),
					]),
			...(isGuarded
				? []
				: [
						at(
							"warning",
							`no security plugin on route ${route.name}${later ? ` but ${later}, which runs after this one` : ""}: only clients whose certificate the listener verifies are let in`,
						),
					]),
			...checkMethods(route.name, plugins, configOf(entry)).map(
				({ severity, message }) => at(severity, message),
			),
		];
	});
}

/** Whether it is what answers a request in place of a backend, as with a JWK Set: Kong runs it after this plugin. */
function answersWell(plugin: PluginEntry): boolean {
	return (
		plugin.name === "request-termination" &&
		configOf(plugin).status_code === 200
	);
}

/**
 * A route that says by its status whether a token is good: Kong's jwt plugin takes every jwt credential of every consumer,
 * so only a group tells those of introspection from those of clients, who sign what they like.
 */
function checkIntrospection(
	configuration: Configuration,
	route: Route,
): Finding[] {
	const plugins = pluginsOn(configuration, route);
	const named = (name: string) => plugins.find((one) => one.name === name);
	const jwt = named("jwt");
	if (!jwt || !plugins.some(answersWell)) return [];
	const at = (message: string): Finding => ({
		...positionOf(route.file, route.map),
		severity: "error",
		message: `route ${route.name}: ${message}`,
	});
	const acl = named("acl");
	const { allow } = acl ? configOf(acl) : {};
	if (!Array.isArray(allow) || allow.length === 0)
		return [
			at(
				"it tells whether a token is good, but has no acl with a group in allow: whoever has a jwt credential signs itself a token that gets a yes",
			),
		];
	return membersOf(configuration, allow)
		.flatMap(({ algorithms, name }) =>
			algorithms
				.filter((algorithm) => !/^(RS|ES|PS)\d|^EdDSA$/.test(algorithm))
				.map((algorithm) => ({ algorithm, name })),
		)
		.map(({ algorithm, name }) =>
			at(
				`consumer ${name} may introspect with ${algorithm}, a secret that its owner signs with too: take RS256 or another algorithm with a public key`,
			),
		);
}

/** Whether the route that Kong chooses at `jku` is the one with the JWK Set. */
function checkRouting(
	configuration: Configuration,
	entry: PluginEntry,
	{ served, map, winner, loser, tied }: JwksLookup,
): Finding[] {
	const { jku } = configOf(entry);
	const at = (severity: Finding["severity"], message: string) => [
		finding(entry, "jku", severity, message),
	];
	if (jku === "")
		return at(
			"info",
			"jku is empty, so the JWK Set that has the key is not known here and was not checked",
		);
	if (loser && winner)
		return at(
			"error",
			`at jku Kong chooses route ${winner.name} (${placeOf(winner)}), not route ${loser.name}, which has the JWK Set, so backends cannot fetch it. Give route ${loser.name} the hosts, methods or regex_priority that route ${winner.name} has`,
		);
	if (served || map)
		return tied
			? at(
					"warning",
					`another route has the same priority at jku as route ${winner?.name}, so that only ids decide which one Kong chooses: give route ${winner?.name} a host or a longer path`,
				)
			: [];
	const expressions = expressionRoutes(configuration);
	if (expressions.length)
		return expressions.map((route) => ({
			...positionOf(route.file, route.map),
			severity: "info",
			message: `route ${route.name} has an expression, which is not read here: whether it serves the JWK Set at jku of ${entry.scope} was not checked`,
		}));
	return at(
		"info",
		"no route here serves the JWK Set at jku: whether it has the key was not checked",
	);
}

function placeOf({ file, map }: Route): string {
	const { line, column } = positionOf(file, map);
	return `${file.path}:${line}:${column}`;
}

/** Whether the key that signs is in the JWK Set at `jku`. */
async function checkPublished(
	entry: PluginEntry,
	served: ServedJwks | undefined,
): Promise<Finding[]> {
	const config = configOf(entry);
	const at = (
		field: string,
		severity: Finding["severity"],
		message: string,
	) => [finding(entry, field, severity, message)];
	if (!served) return [];
	const keys = keysOf(served);
	if (!keys) return [];
	let signing: ReturnType<typeof signingOf>;
	try {
		signing = signingOf(config);
	} catch (error) {
		// checkFields says it.
		if (isRefusal(error)) return [];
		throw error;
	}
	if (signing.reference !== undefined)
		return at(
			"private_jwk",
			"info",
			`whether the JWK Set of route ${served.route.name} has its key was not checked`,
		);
	const { jwk, alg, kid } = signing;
	if (jwk.kty === "oct")
		return at(
			"private_jwk",
			"info",
			`${alg} is symmetric: backends need the secret itself; the JWK Set cannot verify its tokens`,
		);
	const route = `the JWK Set of route ${served.route.name}`;
	const own = await thumbprint(jwk, "private_jwk");
	const sameKey = await matching(keys, own);
	if (kid === undefined)
		return sameKey
			? []
			: at("private_jwk", "error", `its public half is not in ${route}`);
	const sameKid = keys.find((key) => key.kid === kid);
	if (!sameKid)
		return at(
			"private_jwk",
			"error",
			`its kid ${quoted(kid)} is not in ${route}: backends refuse its tokens. ${
				sameKey
					? `There its public half is ${nameOf(sameKey)}`
					: "Publish its public half: x-custom-jwt keys public"
			}`,
		);
	if ((await matching([sameKid], own)) === undefined)
		return at(
			"private_jwk",
			"error",
			`${nameOf(sameKid)} in ${route} is another key than the one that signs: backends refuse its tokens. Publish its public half: x-custom-jwt keys public`,
		);
	return sameKid.alg !== undefined && sameKid.alg !== alg
		? at(
				"private_jwk",
				"error",
				`it signs with ${alg}, but ${nameOf(sameKid)} in ${route} is for ${quoted(sameKid.alg)}`,
			)
		: [];
}

async function matching(keys: JWK[], wanted: string): Promise<JWK | undefined> {
	for (const key of keys)
		try {
			if ((await thumbprint(key, "")) === wanted) return key;
		} catch (error) {
			// checkSet says what is wrong with it.
			if (!(error instanceof BadUse)) throw error;
		}
	return undefined;
}

function keysOf({ body }: ServedJwks): JWK[] | undefined {
	try {
		return parseJwks(body.value, "");
	} catch (error) {
		if (error instanceof BadUse) return undefined;
		throw error;
	}
}

/** The JWK Set of a route, and how it is answered. */
function checkSet(
	configuration: Configuration,
	{ route, plugin, body }: ServedJwks,
): Finding[] {
	const findings: Finding[] = [];
	const what = `the JWK Set of route ${route.name}`;
	const add = (severity: Finding["severity"], message: string) =>
		findings.push({ ...positionOf(plugin.file, body), severity, message });

	const { status_code } = configOf(plugin);
	if (status_code !== 200)
		findings.push({
			...fieldPosition(plugin, "status_code"),
			severity: "error",
			message: `${what} is answered with status ${status_code ?? 503}; verifiers expect 200: set status_code`,
		});
	if (!pluginsOn(configuration, route).some(({ name }) => name === "cors"))
		findings.push({
			...positionOf(route.file, route.map),
			severity: "info",
			message: `${what} has no cors plugin: browsers cannot read it from another origin`,
		});

	if (isReference(body.value)) {
		add("info", `${what} is a reference: its keys were not checked`);
		return findings;
	}
	let keys: JWK[];
	try {
		keys = parseJwks(body.value, what);
	} catch (error) {
		if (!(error instanceof BadUse)) throw error;
		add("error", error.message);
		return findings;
	}
	if (!Object.hasOwn(JSON.parse(body.value), "keys"))
		add("error", `${what} is a JWK; {"keys": [...]} around it is missing`);
	const kids = keys.map(({ kid }) => kid).filter((kid) => kid !== undefined);
	for (const kid of new Set(kids))
		if (kids.indexOf(kid) !== kids.lastIndexOf(kid))
			add(
				"error",
				`${what} has the kid ${quoted(kid)} more than once: verifiers cannot tell these keys apart`,
			);
	for (const key of keys) {
		if (isPrivate(key))
			add(
				"error",
				`${what} gives away private members of ${nameOf(key)}: whoever read it can sign tokens. Replace the key, then publish public halves only: x-custom-jwt keys public`,
			);
		if (key.kty === "oct") continue;
		try {
			const half = publicHalf(key, `${what}: ${nameOf(key)}`);
			const form = canonical(key);
			if (form.changed.length)
				add(
					"error",
					`${what}: ${nameOf(key)}: ${formFault(form)}, or verifiers in Go refuse the whole set: x-custom-jwt keys public`,
				);
			const fault = certificateFault(half);
			if (fault)
				add(
					"error",
					`${what}: ${nameOf(key)}: ${fault}, so go-jose and go-oidc refuse the whole set: x-custom-jwt keys public`,
				);
			if (key.alg === undefined && isForSignatures(key))
				add(
					"warning",
					`${what}: ${nameOf(key)}: alg is missing: jwx does not find the key`,
				);
			for (const warning of interopWarnings(form.jwk))
				add("warning", `${what}: ${nameOf(key)}: ${warning}`);
		} catch (error) {
			if (!(error instanceof BadUse)) throw error;
			add("error", error.message);
		}
	}
	return findings;
}
