import { createApp } from "vue";
import App from "./App.vue";
import { createClient, provideClient } from "./client";
import { startKeyboard } from "./keyboard/registry";
import { createPageRouter } from "./router";
import "./theme/tokens.css";
import "./theme/base.css";
import "./ui/controls.css";
import { startTheme } from "./theme/theme";

startTheme();
startKeyboard();
const app = createApp(App);
// before the router reads the address: a token must be gone from it by then
provideClient(app, createClient());
app.use(createPageRouter()).mount("#app");
