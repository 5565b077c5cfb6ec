import * as fields from "./fields";
import * as files from "./files";
import * as jwks from "./jwks";
import * as keys from "./keys";
import * as methods from "./methods";
import * as ordering from "./ordering";
import * as routes from "./routes";
import type { Found, Rule, Severity } from "./rule";
import type { Check, CheckedEntry, CheckedSet } from "./subjects";

/** Looks at each plugin entry. */
const eachEntry =
	(find: (entry: CheckedEntry, check: Check) => Found[]): Rule["find"] =>
	(check) =>
		check.entries.flatMap((entry) => find(entry, check));

/** Looks at each JWK Set. */
const eachSet =
	(find: (set: CheckedSet, check: Check) => Found[]): Rule["find"] =>
	(check) =>
		check.sets.flatMap((set) => find(set, check));

type Row = [id: string, severity: Severity, text: string, find: Rule["find"]];

const ROWS: Row[] = [
	// The files.
	[
		"unreadable",
		"error",
		"Kong cannot read the file as YAML or JSON.",
		files.unreadable,
	],
	[
		"unfilled-variable",
		"error",
		"A variable of `envsubst` or Helm was not filled in.",
		files.unfilledVariable,
	],
	[
		"misspelt-member",
		"error",
		"A member of the file, a Service, a route, a consumer or a plugin entry is misspelt.",
		files.misspeltMember,
	],
	[
		"misspelt-plugin",
		"error",
		"The name of a plugin is almost x-custom-jwt.",
		files.misspeltPlugin,
	],
	[
		"disabled-entry",
		"warning",
		"A plugin entry is disabled.",
		files.disabledEntry,
	],
	[
		"no-entry",
		"warning",
		"No file has a plugin entry, so nothing was checked.",
		files.noEntry,
	],
	[
		"no-entry-in-file",
		"note",
		"One of several files has no plugin entry.",
		files.noEntryInFile,
	],
	["not-read", "note", "Parts of the file are not read.", files.notRead],
	// The fields of a plugin entry.
	[
		"unknown-field",
		"error",
		"The plugin has no such field.",
		eachEntry(fields.unknownField),
	],
	[
		"null-field",
		"error",
		"A required field is null.",
		eachEntry(fields.nullField),
	],
	[
		"invalid-field",
		"error",
		"The plugin rejects the value of a field.",
		eachEntry(fields.invalidField),
	],
	[
		"invalid-key",
		"error",
		"The private JWK cannot sign.",
		eachEntry(fields.invalidKey),
	],
	[
		"reference-rejected",
		"error",
		"A field is a vault reference, and Kong rejects it.",
		eachEntry(fields.referenceRejected),
	],
	[
		"variable-not-set",
		"error",
		"A reference names an environment variable that is not set (with --env).",
		eachEntry(fields.variableNotSet),
	],
	[
		"test-key",
		"error",
		"The key is one of the test keys of this package, which everybody has.",
		eachEntry(fields.testKey),
	],
	[
		"reference-as-text",
		"warning",
		"A field is a vault reference, and Kong takes it for the value itself.",
		eachEntry(fields.referenceAsText),
	],
	[
		"template-not-read",
		"warning",
		"A field has a template, but does not read templates.",
		eachEntry(fields.templateNotRead),
	],
	[
		"key-interoperability",
		"warning",
		"Libraries of backends fail with the key.",
		eachEntry(fields.keyInteroperability),
	],
	[
		"methods-not-told-apart",
		"warning",
		"Clients of several methods with one name get equal tokens.",
		eachEntry(fields.methodsNotToldApart),
	],
	[
		"issuers-not-told-apart",
		"warning",
		"Subjects of several issuers with one name get equal tokens.",
		eachEntry(fields.issuersNotToldApart),
	],
	[
		"claim-chosen-by-client",
		"warning",
		"The client chooses a claim by which backends decide.",
		eachEntry(fields.claimChosenByClient),
	],
	[
		"reuse-without-effect",
		"warning",
		"Tokens cannot be reused, because each differs.",
		eachEntry(fields.reuseWithoutEffect),
	],
	[
		"hidden-key",
		"note",
		"The key is a reference, so it was not checked.",
		eachEntry(fields.hiddenKey),
	],
	[
		"filled-in-later",
		"note",
		"decK fills in a field, so it was not checked.",
		eachEntry(fields.filledIn),
	],
	// The routes on which an entry runs.
	[
		"closed-route",
		"error",
		"The plugin closes a route on which the gateway itself answers, as with a JWK Set.",
		eachEntry(routes.closedRoute),
	],
	[
		"no-audience",
		"error",
		"Tokens have no audience, because the route has no Service.",
		eachEntry(routes.noAudience),
	],
	[
		"open-introspection",
		"error",
		"Clients can make tokens that introspection accepts.",
		routes.openIntrospection,
	],
	[
		"introspection-with-secret",
		"error",
		"Introspection accepts tokens that clients can sign.",
		routes.introspectionWithSecret,
	],
	[
		"invalid-path",
		"error",
		"The path of a route is a regular expression that Kong cannot read.",
		routes.invalidPath,
	],
	[
		"no-security-plugin",
		"warning",
		"No plugin authenticates clients before this one.",
		eachEntry(routes.noSecurityPlugin),
	],
	[
		"entry-on-consumer",
		"warning",
		"An entry is for a consumer or group alone, so other requests pass without a token.",
		routes.onConsumerOnly,
	],
	[
		"expression-not-read",
		"note",
		"A route has an expression, which is not read.",
		routes.expressionNotRead,
	],
	[
		"ordering-before-authentication",
		"error",
		"ordering makes the plugin run before anybody is authenticated.",
		eachEntry(ordering.beforeAuthentication),
	],
	[
		"ordering-around-guard",
		"error",
		"ordering makes the guard run on the wrong side of the plugin.",
		eachEntry(ordering.guardMoved),
	],
	[
		"enterprise-ordering",
		"note",
		"An entry has ordering, which open-source Kong rejects.",
		ordering.enterpriseOrdering,
	],
	// The methods that an entry accepts.
	[
		"oidc-without-openid-connect",
		"error",
		"oidc is accepted where openid-connect does not guard.",
		eachEntry(methods.oidcWithoutOpenidConnect),
	],
	[
		"oidc-with-session",
		"error",
		"openid-connect accepts more than the Bearer tokens that are signed.",
		eachEntry(methods.oidcWithSession),
	],
	[
		"oidc-token-hidden",
		"error",
		"openid-connect takes away the token that is to be signed.",
		eachEntry(methods.oidcTokenHidden),
	],
	[
		"session-rejected",
		"error",
		"Clients of session are rejected.",
		eachEntry(methods.sessionRejected),
	],
	[
		"anonymous-rejected",
		"error",
		"The anonymous consumer is rejected.",
		eachEntry(methods.anonymousRejected),
	],
	[
		"oidc-not-accepted",
		"warning",
		"Clients of openid-connect are rejected.",
		eachEntry(methods.oidcNotAccepted),
	],
	[
		"oidc-token-may-be-hidden",
		"warning",
		"openid-connect takes away the token since Kong 3.14.",
		eachEntry(methods.oidcTokenMayBeHidden),
	],
	[
		"usernames-not-told-apart",
		"warning",
		"Users of several plugins with one name get equal tokens.",
		eachEntry(methods.usernamesNotToldApart),
	],
	// The JWK Set at jku.
	[
		"jwks-shadowed",
		"error",
		"Kong chooses another route than that of the JWK Set.",
		eachEntry(jwks.jwksShadowed),
	],
	["jwks-is-map", "error", "The JWK Set is a YAML map.", jwks.jwksIsMap],
	[
		"jwks-status",
		"error",
		"The JWK Set is not answered with 200.",
		eachSet(jwks.jwksStatus),
	],
	[
		"invalid-jwks",
		"error",
		"The JWK Set cannot be read.",
		eachSet(jwks.invalidJwks),
	],
	[
		"duplicate-kid",
		"error",
		"Two published keys have one kid.",
		eachSet(jwks.duplicateKid),
	],
	[
		"private-key-published",
		"error",
		"A private key is published.",
		eachSet(jwks.privateKeyPublished),
	],
	[
		"invalid-published-key",
		"error",
		"A published key cannot be used.",
		eachSet(jwks.invalidPublishedKey),
	],
	[
		"published-key-form",
		"error",
		"A published key is not written as verifiers in Go demand.",
		eachSet(jwks.publishedKeyForm),
	],
	[
		"published-certificate",
		"error",
		"A published certificate cannot be read.",
		eachSet(jwks.publishedCertificate),
	],
	[
		"key-not-published",
		"error",
		"The key that signs is not published.",
		eachEntry(keys.keyNotPublished),
	],
	[
		"kid-not-published",
		"error",
		"The kid of the key that signs is not published.",
		eachEntry(keys.kidNotPublished),
	],
	[
		"other-key-published",
		"error",
		"Another key is published under the kid of the one that signs.",
		eachEntry(keys.otherKeyPublished),
	],
	[
		"algorithm-differs",
		"error",
		"The published key is for another algorithm.",
		eachEntry(keys.algorithmDiffers),
	],
	[
		"jwks-missing",
		"warning",
		"No route serves a JWK Set at jku.",
		jwks.jwksMissing,
	],
	[
		"jwks-tied",
		"warning",
		"Two routes have the same priority at jku.",
		eachEntry(jwks.jwksTied),
	],
	[
		"published-key-without-alg",
		"warning",
		"A published key has no alg.",
		eachSet(jwks.publishedKeyWithoutAlg),
	],
	[
		"published-key-interoperability",
		"warning",
		"Libraries of backends fail with a published key.",
		eachSet(jwks.publishedKeyInteroperability),
	],
	[
		"no-jku",
		"note",
		"jku is empty, so no JWK Set was checked.",
		eachEntry(jwks.noJku),
	],
	[
		"jwks-elsewhere",
		"note",
		"The JWK Set at jku is not in these files, and need not be.",
		jwks.jwksElsewhere,
	],
	[
		"jwks-without-cors",
		"note",
		"Pages cannot read the JWK Set.",
		eachSet(jwks.jwksWithoutCors),
	],
	[
		"jwks-not-checked",
		"note",
		"The text of the JWK Set stands elsewhere.",
		eachSet(jwks.jwksNotChecked),
	],
	[
		"key-not-compared",
		"note",
		"A hidden key was not compared with the JWK Set.",
		eachEntry(keys.keyNotCompared),
	],
	[
		"symmetric-key",
		"note",
		"The key is symmetric, so no JWK Set verifies its tokens.",
		eachEntry(keys.symmetricKey),
	],
];

/** Everything that `config check` reports: one rule a finding. */
export const RULES: readonly Rule[] = ROWS.map(
	([id, severity, text, find]) => ({
		id,
		severity,
		text,
		find,
	}),
);
