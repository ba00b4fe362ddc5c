# The image of both programs: the bundles and Node, no npm packages, no root.
#   docker build -t promlet:dev .
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY . .
# Installs the locked dependencies and compiles the kernels first.
RUN npm run -s bundle

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=build /src/dist /app
COPY LICENSE /app/LICENSE
# One heap of the C library for all threads: some 10 MB less after compactions.
ENV NODE_ENV=production MALLOC_ARENA_MAX=1
USER 65534:65534
ENTRYPOINT ["/usr/local/bin/node"]
CMD ["agent.mjs"]
