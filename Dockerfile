# PoolApi as one native program on an image without a shell: built with the SDK, run without it.

FROM mcr.microsoft.com/dotnet/sdk:10.0-noble-aot AS build
# The platform of the image, amd64 or arm64. A builder that does not set it builds for the platform of the SDK's image, which is the same.
ARG TARGETARCH
WORKDIR /source

# The files that determine the packages are copied first, so that a change in the code does not restore the packages again.
COPY global.json .editorconfig Directory.Build.props Directory.Build.targets Directory.Packages.props ./
COPY src/Directory.Build.props src/BannedSymbols.txt src/
COPY src/PoolApi.Threading/PoolApi.Threading.csproj src/PoolApi.Threading/packages*.lock.json src/PoolApi.Threading/
COPY src/PoolApi.AspNetCore/PoolApi.AspNetCore.csproj src/PoolApi.AspNetCore/packages*.lock.json src/PoolApi.AspNetCore/
COPY src/PoolApi.Dashboard/PoolApi.Dashboard.csproj src/PoolApi.Dashboard/packages*.lock.json src/PoolApi.Dashboard/
COPY src/PoolApi.Jobs/PoolApi.Jobs.csproj src/PoolApi.Jobs/packages*.lock.json src/PoolApi.Jobs/
COPY src/PoolApi.Jobs.AspNetCore/PoolApi.Jobs.AspNetCore.csproj src/PoolApi.Jobs.AspNetCore/packages*.lock.json src/PoolApi.Jobs.AspNetCore/
COPY src/PoolApi.Jobs.PostgreSql/PoolApi.Jobs.PostgreSql.csproj src/PoolApi.Jobs.PostgreSql/packages*.lock.json src/PoolApi.Jobs.PostgreSql/
COPY src/PoolApi.Jobs.Sqlite/PoolApi.Jobs.Sqlite.csproj src/PoolApi.Jobs.Sqlite/packages*.lock.json src/PoolApi.Jobs.Sqlite/
COPY src/PoolApi/PoolApi.csproj src/PoolApi/packages*.lock.json src/PoolApi/
RUN dotnet restore src/PoolApi --locked-mode --arch ${TARGETARCH:-$(dpkg --print-architecture)}

# The SDK links the native program with clang, or with gcc if there is no clang.
# Symbols (PoolApi.dbg is twice the size of the program) and documentation are left out.
COPY src src
# The build does not see .git, so the commit for --version is an argument.
ARG REVISION=
# true: the program runs at a random address (docs/security.md).
ARG RANDOM_ADDRESS=false
RUN dotnet publish src/PoolApi --no-restore --configuration Release --arch ${TARGETARCH:-$(dpkg --print-architecture)} --output /app -warnaserror -p:SourceRevisionId=$REVISION -p:PositionIndependentExecutable=$RANDOM_ADDRESS \
    && rm -f /app/*.dbg /app/*.pdb /app/*.xml \
    && mkdir /data

FROM mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled
ARG REVISION=unknown
LABEL org.opencontainers.image.title="PoolApi" \
      org.opencontainers.image.description="Runs the blocking part of HTTP endpoints on its own fixed set of threads" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled"

# libvips, libsodium and SQLite are beside the program, where it looks for them. Root owns these files, so the program cannot
# change itself. It writes only its jobs, so a read-only root file system is fine.
WORKDIR /app
COPY --from=build /app .
COPY --from=build --chown=$APP_UID:$APP_UID /data /data

# The base image sets the port 8080 by ASPNETCORE_HTTP_PORTS. Together with Urls, ASP.NET Core would warn at every start.
ENV ASPNETCORE_HTTP_PORTS= \
    Jobs__Path=/data/jobs.db \
    Urls=http://+:8080 \
    Management__Urls=http://+:8081
EXPOSE 8080 8081

# Accepted jobs outlive the container if this is a named volume.
VOLUME /data

USER $APP_UID
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=3 CMD ["/app/PoolApi", "healthcheck"]
ENTRYPOINT ["/app/PoolApi"]
