// Forms that call the API: what is typed goes as JSON, what is wrong is said beside the button.
import { call, make, say } from "./station";

type Plain = Record<string, string | number>;

class ApiForm extends HTMLElement {
  connectedCallback(): void {
    const form = this.querySelector("form");
    form?.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send(form, event.submitter as HTMLButtonElement | null);
    });
  }

  async #send(form: HTMLFormElement, button: HTMLButtonElement | null): Promise<void> {
    const etag = this.getAttribute("etag");
    const method = this.getAttribute("method") ?? "POST";
    const buttons = form.querySelectorAll("button");
    const typed = plain(form, button);
    const into = this.getAttribute("into");
    const body = method === "DELETE" || this.getAttribute("action")?.endsWith("/logout") ? undefined : into ? { [into]: typed } : typed;
    buttons.forEach((each) => (each.disabled = true));
    try {
      const answer = await call<Plain>(method, this.getAttribute("action")!, body, etag ? { "If-Match": etag } : {});
      this.#then(answer ?? {}, form);
    } catch (error) {
      this.#wrong((error as Error).message);
    }
    buttons.forEach((each) => (each.disabled = false));
  }

  #then(answer: Plain, form: HTMLFormElement): void {
    const then = this.getAttribute("then") ?? "reload";
    if (then === "reload") location.reload();
    else if (then === "show secret") {
      const text = say("Copy this token now; it is not shown again:");
      this.querySelector(".secret")?.replaceChildren(text, " ", make("code", {}, String(answer.secret)));
      form.reset();
    } else location.assign(then.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(answer[name]))));
  }

  #wrong(text: string): void {
    this.querySelector(".warning")?.remove();
    this.append(make("p", { class: "warning", role: "alert" }, text));
  }
}

/** What is in the fields; numbers as numbers, and nothing of fields that are empty. */
function plain(form: HTMLFormElement, button: HTMLButtonElement | null): Plain {
  const typed: Plain = {};
  for (const [name, value] of new FormData(form, button)) {
    const field = form.elements.namedItem(name);
    if (typeof value !== "string" || value === "") continue;
    typed[name] = field instanceof HTMLInputElement && field.type === "number" ? Number(value) : value;
  }
  return typed;
}

customElements.define("api-form", ApiForm);
