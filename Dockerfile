# The runtime comes from the image: without install scripts the bundled node package stays an empty shell.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production BIGPIPE_DATA_DIR=/data
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/package.json .
COPY config config
COPY proto proto
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 10086
CMD ["node", "--enable-source-maps", "dist/main.js"]
