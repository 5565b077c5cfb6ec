/** What the rules look at: the plugin entries, routes and JWK Sets of a configuration, each prepared once. */
import type { JWK } from "jose";
import {
	type Configuration,
	configOf,
	findJwks,
	type JwksLookup,
	type PluginEntry,
	pluginsOn,
	type Route,
	routesOf,
	type ServedJwks,
	vaultPrefixes,
} from "../../declarative/model";
import {
	isFilledIn,
	isReference,
	isVaultReference,
	leftOverIn,
	type Resolved,
	resolve,
} from "../../declarative/references";
import { contentOf } from "../../declarative/text";
import { JwkError } from "../../jwk/error";
import { parseJwks } from "../../jwk/parse";
import { thumbprint } from "../../jwk/public-half";
import { signingJwk } from "../../jwk/signing-key";
import { Name } from "../../plugins/x-custom-jwt";
import { prepare } from "../../plugins/x-custom-jwt/config";
import { keyOptions } from "../../plugins/x-custom-jwt/private-key";
import { configSchema } from "../../schema/fields";
import { isRequired, properties } from "../../schema/kong";
import { mostSimilar } from "../similar";

/** Everything that the rules look at. */
export interface Check {
	configuration: Configuration;
	entries: CheckedEntry[];
	routes: CheckedRoute[];
	sets: CheckedSet[];
}

/** A route with the plugin entries that run on it. */
export interface CheckedRoute {
	route: Route;
	plugins: PluginEntry[];
}

/** Why the value of a field is not checked as it stands. */
export type Aside =
	/** The plugin has no such field. */
	| "unknown"
	/** A required field is null. */
	| "null"
	/** Something should have been filled in before Kong or decK reads the file. */
	| "unfilled"
	/** A vault or decK provides the key. */
	| "hidden-key"
	/** decK provides the value. */
	| "filled-in"
	/** A vault reference where Kong takes it for the value itself, or rejects it. */
	| "reference-as-text"
	| "reference-rejected";

/** A plugin entry of x-custom-jwt, with what is known of its configuration. */
export interface CheckedEntry {
	entry: PluginEntry;
	/** Its fields as the plugin gets them; the key is the real one where the environment has it. */
	config: Record<string, unknown>;
	/** The fields whose values are not checked as they stand. */
	asides: Map<string, Aside>;
	/** The field that each unknown field most likely is. */
	meant: Map<string, string>;
	/** Environment variables that should have the key and do not, by field. */
	unset: Map<string, Extract<Resolved, { variable: string }>>;
	faults: ReturnType<typeof prepare>["faults"];
	warnings: ReturnType<typeof prepare>["warnings"];
	/** What signs; nothing when it is hidden, or something is wrong with the configuration. */
	signing: { jwk: JWK; alg: string; kid: string | undefined } | undefined;
	/** What Kong answers at `jku`. */
	jwks: JwksLookup;
	/** The routes on which it runs. */
	routes: CheckedRoute[];
}

/** A JWK Set that a `jku` leads to. */
export interface CheckedSet {
	served: ServedJwks;
	/** What it is called in messages. */
	what: string;
	/** Its text; nothing when it stands elsewhere. */
	text: string | undefined;
	/** Its keys; nothing when it cannot be read. */
	keys: JWK[] | undefined;
	/** The keys by their thumbprints, as far as they can be used. */
	byThumbprint: Map<string, JWK>;
	/** Why it cannot be read. */
	fault: string | undefined;
}

/** What decides beside the files. */
export interface CheckOptions {
	/** Where references are resolved; without it they are not. */
	environment?: Readonly<Record<string, string | undefined>>;
}

/** Prepares what the rules look at. */
export function subjectsOf(
	configuration: Configuration,
	{ environment }: CheckOptions,
): Check {
	const vaults = vaultPrefixes(configuration);
	const resolved = (value: string) =>
		environment && resolve(value, environment, vaults);
	const routes = configuration.routes.map((route) => ({
		route,
		plugins: pluginsOn(configuration, route),
	}));
	const byRoute = new Map(routes.map((one) => [one.route, one]));
	const entries = configuration.plugins
		.filter(({ name }) => name === Name)
		.map((entry): CheckedEntry => {
			const { jku = configSchema.properties.jku.default } = configOf(entry);
			return {
				...fieldsOf(entry, resolved),
				jwks: findJwks(configuration, jku),
				routes: routesOf(configuration, entry).flatMap(
					(route) => byRoute.get(route) ?? [],
				),
			};
		});
	const served = new Map(
		entries.flatMap(({ jwks: { served } }) =>
			served ? [[served.body, served]] : [],
		),
	);
	const sets = [...served.values()].map((one) => setOf(one, resolved));
	return { configuration, entries, routes, sets };
}

/** Resolves a reference, if references are resolved. */
type Resolver = (value: string) => Resolved | undefined;

function fieldsOf(
	entry: PluginEntry,
	resolved: Resolver,
): Omit<CheckedEntry, "jwks" | "routes"> {
	const config = configOf(entry);
	const asides = new Map<string, Aside>();
	const unset: CheckedEntry["unset"] = new Map();
	const meant = new Map<string, string>();
	for (const field of nullFields(entry))
		if (isRequired(field)) asides.set(field, "null");
	for (const [field, given] of Object.entries(config)) {
		const property = FIELDS.get(field);
		let value = given;
		if (property?.kong?.referenceable || isFilledIn(value)) {
			const found = typeof value === "string" ? resolved(value) : undefined;
			if (found && "value" in found) value = config[field] = found.value;
			else if (found) unset.set(field, found);
		}
		if (!property) {
			asides.set(field, "unknown");
			const other = mostSimilar(field, [...FIELDS.keys()]);
			if (other !== undefined) meant.set(field, other);
			delete config[field];
		} else if (hasLeftOver(value)) {
			asides.set(field, "unfilled");
			delete config[field];
		} else if (property.kong?.referenceable && isReference(value)) {
			asides.set(field, "hidden-key");
		} else if (isFilledIn(value)) {
			asides.set(field, "filled-in");
			delete config[field];
		} else if (isVaultReference(value)) {
			const { type, kong, enum: values } = property;
			const isText = type === "string" && !kong?.match && !values;
			asides.set(field, isText ? "reference-as-text" : "reference-rejected");
			if (!isText) delete config[field];
		} else if (property.uniqueItems && Array.isArray(value)) {
			// Kong's sets drop duplicates.
			config[field] = [...new Set(value)];
		}
	}
	const hasHiddenKey =
		isReference(config.private_jwk) || asides.get("private_jwk") === "unfilled";
	const { faults, warnings, settings, key } = prepare(
		hasHiddenKey ? { private_jwk: "{vault://}", ...config } : config,
		{ hasHiddenKey, thorough: true },
	);
	// What is said of a field by its name, or by its right name, is enough.
	const isOpen = ({ field }: { field: string }) =>
		!QUIET.includes(asides.get(field) ?? "") &&
		![...meant.values()].includes(field);
	return {
		entry,
		config,
		asides,
		meant,
		unset,
		faults: faults.filter(isOpen),
		warnings: warnings.filter(isOpen),
		signing:
			settings && key
				? {
						...signingJwk(String(config.private_jwk), keyOptions(settings)),
						alg: key.alg,
					}
				: undefined,
	};
}

const FIELDS = new Map(properties);

/** Where nothing else is to be said of a field. */
const QUIET: string[] = ["null", "unfilled", "filled-in", "reference-rejected"];

/** Whether a variable was left in a value, or in what the value holds. */
function hasLeftOver(value: unknown): boolean {
	if (typeof value === "string") return leftOverIn(value) !== undefined;
	return (
		typeof value === "object" &&
		value !== null &&
		Object.values(value).some(hasLeftOver)
	);
}

/** The fields that are given as null, which Kong takes for absent ones. */
function nullFields({ configs, file }: PluginEntry): string[] {
	return configs.flatMap((map) =>
		Object.entries(Object(contentOf(file, map)))
			.filter(([, value]) => value === null)
			.map(([field]) => field),
	);
}

function setOf(served: ServedJwks, resolved: Resolver): CheckedSet {
	const set = {
		served,
		what: `the JWK Set of route ${served.route.name}`,
		text: undefined,
		keys: undefined,
		byThumbprint: new Map<string, JWK>(),
		fault: undefined,
	};
	const given = served.body.value;
	const found = isFilledIn(given) ? resolved(given) : undefined;
	const text = found && "value" in found ? found.value : given;
	if (isReference(text) || leftOverIn(text)) return set;
	try {
		const keys = parseJwks(text);
		for (const key of keys) {
			const id = thumbprintOf(key);
			if (id !== undefined && !set.byThumbprint.has(id))
				set.byThumbprint.set(id, key);
		}
		return { ...set, text, keys };
	} catch (error) {
		if (!(error instanceof JwkError)) throw error;
		return { ...set, text, fault: error.message };
	}
}

const thumbprints = new WeakMap<JWK, string | undefined>();

/** The thumbprint of a key; nothing when it is not an asymmetric key that can be used. */
export function thumbprintOf(jwk: JWK): string | undefined {
	if (thumbprints.has(jwk)) return thumbprints.get(jwk);
	let id: string | undefined;
	try {
		id = jwk.kty === "oct" ? undefined : thumbprint(jwk);
	} catch (error) {
		if (!(error instanceof JwkError)) throw error;
	}
	thumbprints.set(jwk, id);
	return id;
}
