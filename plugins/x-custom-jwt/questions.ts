import { bindingQuestions } from "./binding";
import type { Config } from "./config";
import type { Question } from "./facts";
import { variableQuestions } from "./variables";

/** What each request of a plugin entry is asked about, besides what its method of authentication needs. */
export function requestQuestions({
	audience,
	bind_request,
	max_request_body_size,
	scope,
	templates,
}: Config): Question[] {
	const questions: Question[] = [
		{ about: "credential" },
		{ about: "consumer" },
	];
	if (!audience || scope.service_id) questions.push({ about: "service" });
	if (scope.route_id) questions.push({ about: "route" });
	questions.push(...variableQuestions(templates.variables));
	if (bind_request) questions.push(...bindingQuestions(max_request_body_size));
	return questions;
}
