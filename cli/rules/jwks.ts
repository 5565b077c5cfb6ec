/** Whether backends get the JWK Set at `jku`, and whether they can use it. */
import {
	configOf,
	expressionRoutes,
	fieldNode,
	pluginsOn,
	type Route,
} from "../../declarative/model";
import { positionOf } from "../../declarative/text";
import { canonical, formFault } from "../../jwk/canonical";
import { certificateFault } from "../../jwk/certificates";
import { JwkError } from "../../jwk/error";
import { interopWarnings } from "../../jwk/interop";
import { isForSignatures, isPrivate } from "../../jwk/members";
import { quoted } from "../../jwk/printable";
import { publicHalf } from "../../jwk/public-half";
import { nameOf } from "../../jwk/public-members";
import { guardsOf } from "./ordering";
import { at, atField, type Found, type Said } from "./rule";
import type { Check, CheckedEntry, CheckedSet } from "./subjects";

const PUBLISH = "Publish what `x-custom-jwt keys public` prints.";

const byName = (route: Route) => `route ${route.name} (${placeOf(route)})`;

function placeOf({ file, map }: Route): string {
	const { line, column } = positionOf(file, map);
	return `${file.path}:${line}:${column}`;
}

/** Whether `jku` is looked at: it may be empty, invalid, or not known here. */
function hasJku({ config, asides, faults }: CheckedEntry): boolean {
	return (
		config.jku !== "" &&
		!asides.has("jku") &&
		!faults.some(({ field }) => field === "jku")
	);
}

export function noJku({ entry, config }: CheckedEntry): Found[] {
	return config.jku === ""
		? [
				atField(entry, "jku", {
					message:
						"jku is empty, so the JWK Set that has the key is not known here and was not checked",
					cure: "Check that backends have the key, or set jku to the URL of the JWK Set.",
				}),
			]
		: [];
}

export function jwksShadowed({ entry, jwks }: CheckedEntry): Found[] {
	const { winner, loser } = jwks;
	return winner && loser
		? [
				atField(entry, "jku", {
					message: `at jku Kong chooses ${byName(winner)}, not route ${loser.name}, which has the JWK Set, so backends cannot fetch it`,
					cure: `Give route ${loser.name} the hosts, methods or regex_priority that route ${winner.name} has.`,
				}),
			]
		: [];
}

export function jwksTied({ entry, jwks }: CheckedEntry): Found[] {
	const { winner, served, map, tied } = jwks;
	return tied && winner && (served || map)
		? [
				atField(entry, "jku", {
					message: `another route has the same priority at jku as route ${winner.name}, so that only ids decide which one Kong chooses`,
					cure: `Give route ${winner.name} a host or a longer path.`,
				}),
			]
		: [];
}

/** Whether no route here serves a JWK Set at `jku`, as far as that can be known. */
function isMissing(checked: CheckedEntry): boolean {
	const { served, map, loser } = checked.jwks;
	return hasJku(checked) && !served && !map && !loser;
}

export function jwksMissing({ configuration, entries }: Check): Found[] {
	if (!configuration.routes.length || expressionRoutes(configuration).length)
		return [];
	return entries.filter(isMissing).flatMap((checked) => {
		const { entry, jwks } = checked;
		const { winner } = jwks;
		const plugins = winner ? pluginsOn(configuration, winner) : [];
		const isClosed = winner && guardsOf({ route: winner, plugins }).length > 0;
		// Its backend may serve the JWK Set.
		if (winner?.service && !isClosed) return [];
		return atField(entry, "jku", {
			message: winner
				? `no route here serves the JWK Set at jku: Kong chooses ${byName(winner)} there, ${isClosed ? "which demands a credential" : "which answers something else"}`
				: "no route here serves the JWK Set at jku, so whether it has the key was not checked",
			cure: "Add a route with the path of jku that answers with the JWK Set (docs/keys.md), give all files at once, or ignore this rule where the set is served elsewhere.",
		});
	});
}

export function jwksElsewhere({ configuration, entries }: Check): Found[] {
	return entries.filter(isMissing).flatMap(({ entry, jwks }) => {
		const { winner } = jwks;
		if (configuration.routes.length && !winner?.service) return [];
		if (
			winner &&
			guardsOf({ route: winner, plugins: pluginsOn(configuration, winner) })
				.length
		)
			return [];
		return atField(entry, "jku", {
			message: winner
				? `at jku Kong chooses ${byName(winner)}, and what its backend answers is not known here: whether it has the key was not checked`
				: "there are no routes here, so whether the JWK Set at jku has the key was not checked",
			cure: "Give all files of the configuration at once.",
		});
	});
}

export function jwksIsMap({ entries }: Check): Found[] {
	const maps = new Map(
		entries.flatMap(({ jwks: { map } }) => (map ? [[map.body, map]] : [])),
	);
	return [...maps.values()].map(({ plugin, body, route }) =>
		at(plugin.file, body, {
			message: `the JWK Set of route ${route.name} is a YAML map, but Kong expects a string and rejects the file`,
			cure: "Put the set behind `body: |` as JSON.",
		}),
	);
}

/** A finding at the text of the JWK Set. */
function atSet({ served, what }: CheckedSet, said: Said): Found {
	return at(served.plugin.file, served.body, {
		...said,
		message: `${what}${said.message}`,
	});
}

export function jwksStatus({ served, what }: CheckedSet): Found[] {
	const { plugin } = served;
	const { status_code } = configOf(plugin);
	return status_code === 200
		? []
		: [
				at(plugin.file, fieldNode(plugin, "status_code") ?? plugin.map, {
					message: `${what} has the status ${quoted(status_code ?? 503)}, but verifiers expect 200`,
					cure: "Set status_code: 200.",
				}),
			];
}

export function jwksWithoutCors(set: CheckedSet, check: Check): Found[] {
	const { route } = set.served;
	const plugins = pluginsOn(check.configuration, route);
	return plugins.some(({ name }) => name === "cors")
		? []
		: [
				at(route.file, route.map, {
					message: `${set.what} has no cors plugin: browsers cannot read it from another origin`,
					cure: "Put cors on the route if pages verify tokens.",
				}),
			];
}

export function jwksNotChecked(set: CheckedSet): Found[] {
	return set.text === undefined
		? [
				atSet(set, {
					message: " stands elsewhere, so its keys were not checked",
					cure: "Check the file after it is filled in; with --env, decK's variables are.",
				}),
			]
		: [];
}

export function invalidJwks(set: CheckedSet): Found[] {
	if (set.fault !== undefined)
		return [atSet(set, { message: `: ${set.fault}`, cure: PUBLISH })];
	if (set.text === undefined || Object.hasOwn(JSON.parse(set.text), "keys"))
		return [];
	return [
		atSet(set, {
			message: ' is a JWK: {"keys": [...]} around it is missing',
			cure: PUBLISH,
		}),
	];
}

export function duplicateKid(set: CheckedSet): Found[] {
	const kids = (set.keys ?? [])
		.map(({ kid }) => kid)
		.filter((kid) => kid !== undefined);
	const seen = new Set<string>();
	const twice = new Set(kids.filter((kid) => seen.has(kid) || !seen.add(kid)));
	return [...twice].map((kid) =>
		atSet(set, {
			message: ` has the kid ${quoted(kid)} more than once: verifiers cannot tell these keys apart`,
			cure: "Give each key a kid of its own.",
		}),
	);
}

export function privateKeyPublished(set: CheckedSet): Found[] {
	return (set.keys ?? []).filter(isPrivate).map((key) =>
		atSet(set, {
			message: ` gives away private members of ${nameOf(key)}, so everybody can sign tokens`,
			cure: `Replace the key. ${PUBLISH}`,
		}),
	);
}

/** Each asymmetric key of a set that can be used, or why it cannot. */
function publicKeys({ keys = [] }: CheckedSet) {
	return keys
		.filter(({ kty }) => kty !== "oct")
		.map((key) => {
			try {
				return { key, half: publicHalf(key), form: canonical(key) };
			} catch (error) {
				if (!(error instanceof JwkError)) throw error;
				return { key, fault: error.message };
			}
		});
}

/** What a rule says about each key of a set that can be used. */
function eachKey(
	set: CheckedSet,
	say: (
		key: Extract<ReturnType<typeof publicKeys>[number], { half: object }>,
	) => { messages: string[]; cure: string },
): Found[] {
	return publicKeys(set).flatMap((key) => {
		if (key.fault !== undefined) return [];
		const { messages, cure } = say(key);
		return messages.map((message) =>
			atSet(set, { message: `: ${nameOf(key.key)}: ${message}`, cure }),
		);
	});
}

export function invalidPublishedKey(set: CheckedSet): Found[] {
	return publicKeys(set).flatMap(({ key, fault }) =>
		fault === undefined
			? []
			: [
					atSet(set, {
						message: `: ${nameOf(key)}: ${fault}`,
						cure: PUBLISH,
					}),
				],
	);
}

export function publishedKeyForm(set: CheckedSet): Found[] {
	return eachKey(set, ({ form }) => ({
		messages: form.changed.length
			? [`${formFault(form)}, or verifiers in Go reject the whole set`]
			: [],
		cure: PUBLISH,
	}));
}

export function publishedCertificate(set: CheckedSet): Found[] {
	return eachKey(set, ({ half }) => {
		const fault = certificateFault(half);
		return {
			messages: fault
				? [`${fault}, so go-jose and go-oidc reject the whole set`]
				: [],
			cure: PUBLISH,
		};
	});
}

export function publishedKeyWithoutAlg(set: CheckedSet): Found[] {
	return eachKey(set, ({ key }) => ({
		messages:
			key.alg === undefined && isForSignatures(key)
				? ["alg is missing: jwx does not find the key"]
				: [],
		cure: PUBLISH,
	}));
}

export function publishedKeyInteroperability(set: CheckedSet): Found[] {
	return eachKey(set, ({ form }) => ({
		messages: interopWarnings(form.jwk),
		cure: "Write the key again with `x-custom-jwt keys import`; docs/keys.md explains.",
	}));
}
