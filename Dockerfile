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
ENV NODE_ENV=production
USER 65534:65534
ENTRYPOINT ["/usr/local/bin/node"]
CMD ["agent.mjs"]
