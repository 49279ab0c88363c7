import { createRunroom } from "@runroom/vue";
import "@runroom/vue/style.css";
import { createPinia } from "pinia";
import { createApp } from "vue";
import App from "./App.vue";

createApp(App)
  .use(createPinia())
  .use(
    createRunroom({ url: "http://localhost:3001", token: () => sessionStorage.getItem("token") }),
  )
  .mount("#app");
