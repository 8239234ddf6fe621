# One image for every worker: docker run fedloop:0.1.0 worker stream
FROM node:20.19.5-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Scripts would build before the sources are there; native parts come with their packages.
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:20.19.5-bookworm-slim
ENV NODE_ENV=production \
    # glibc keeps memory for every thread, and DuckDB, onnxruntime and Temporal's core have many.
    MALLOC_ARENA_MAX=2
# Temporal's core speaks TLS with the system's certificates.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/bin bin
COPY --from=build /app/dist dist
COPY --from=build /app/data data
COPY --from=build /app/dashboards dashboards
COPY --from=build /app/node_modules node_modules
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 9464
ENTRYPOINT ["node", "bin/fedloop.js"]
CMD ["--help"]
