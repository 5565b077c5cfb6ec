import { bindingQuestions } from "./binding";
import { certificateQuestions } from "./certificate";
import type { Config } from "./config";
import type { Question } from "./facts";
import { variableQuestions } from "./variables";

/** What each request of a plugin entry is asked about, besides what its method of authentication needs. */
export function requestQuestions({
	audience,
	bind_certificate,
	bind_request,
	max_request_body_size,
	run_on_preflight,
	scope,
	templates,
}: Config): Question[] {
	const questions: Question[] = [
		{ about: "credential" },
		{ about: "consumer" },
		PROTOCOL,
		CONNECTION,
	];
	if (!audience || scope.service_id) questions.push({ about: "service" });
	if (scope.route_id) questions.push({ about: "route" });
	questions.push(...variableQuestions(templates.variables));
	if (!run_on_preflight) questions.push({ about: "method" });
	if (bind_certificate) questions.push(...certificateQuestions);
	if (bind_request) questions.push(...bindingQuestions(max_request_body_size));
	return questions;
}

/** The HTTP version of the request, such as `HTTP/1.1`; absent for HTTP/0.9 (Kong fact). */
export const PROTOCOL = {
	about: "variable",
	name: "server_protocol",
} as const satisfies Question;

/** All its lines in one: Kong drops the headers that it names from the request (RFC 9110 §7.6.1). */
export const CONNECTION = {
	about: "variable",
	name: "http_connection",
} as const satisfies Question;

/** What must be known before a cached token is reused that follows from the credential and the consumer. */
export function reuseQuestions({ run_on_preflight }: Config): Question[] {
	const questions: Question[] = [
		{ about: "credential" },
		{ about: "consumer" },
		PROTOCOL,
		CONNECTION,
	];
	return run_on_preflight ? questions : [...questions, { about: "method" }];
}
