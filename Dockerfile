# The runtime comes from the image: without install scripts the bundled node package stays an empty shell.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-slim
WORKDIR /app
# The root may be read-only: what is written goes to /data, and /tmp if workers are asked for.
ENV NODE_ENV=production BIGPIPE_DATA_DIR=/data
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/package.json .
COPY start.sh .
COPY config config
COPY proto proto
RUN mkdir /data && chown 1000:1000 /data
VOLUME /data
USER 1000:1000
EXPOSE 10086
HEALTHCHECK --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.BIGPIPE_PORT ?? 10086) + '/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# One process, and it is the first: signals reach it.
CMD ["./start.sh"]
