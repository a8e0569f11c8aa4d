using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection.Extensions;
using PoolApi;
using PoolApi.AspNetCore.Settings;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Auth;
using PoolApi.Cors;
using PoolApi.Diagnostics;
using PoolApi.Documentation;
using PoolApi.JobSetup;
using PoolApi.Listening;
using PoolApi.Management;
using PoolApi.Passwords;
using PoolApi.Problems;
using PoolApi.Requests;
using PoolApi.Server;
using PoolApi.Settings;
using PoolApi.Telemetry;
using PoolApi.Thumbnails;
using PoolApi.Welcome;

// This comes first: as PID 1 of a container, the process gets only the signals that it has a handler for.
if (CommandLine.Serves(args)) EarlyStopSignals.Register(LogFormat.WriteEarly);
NativeHeap.Limit();
if (await CommandLine.RunAsync(args) is { } exitCode) return exitCode;

IReadOnlyList<string> settingFaults = [];
try
{
    WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(ContentRoot.Options(CommandLine.Settings(args)));
    var settings = ServiceSettings.Read(builder.Configuration, builder.Environment);
    settingFaults = settings.Faults;
    settings.AddTo(builder.Services);
    // The dashboard makes the directory when it is mapped. A check leaves nothing behind: the directory would belong to the user who checks.
    if (CommandLine.Checks(args)) builder.Services.Replace(ServiceDescriptor.Singleton(settings.Dashboard with { SnapshotDirectory = null }));
    builder.Services.AddClosedOptions();

    builder.WebHost.UseUrls([.. settings.Urls.All]);
    builder.WebHost.AddServer(builder.Configuration, settings.Urls);
    builder.Services.AddAllowedHosts();
    builder.Services.AddCorsPolicy(settings.Cors);
    builder.Services.AddReverseProxy(builder.Configuration);
    builder.Logging.AddLogFormat(builder.Configuration);

    builder.Services.AddPoolProcessLifetime().ConfigurePoolShutdown("Shutdown");
    builder.Services.AddFixedThreadPool(builder.Configuration["Pool:Name"] is { Length: > 0 } name ? name : PoolSettings.Name.Fallback, settings.Auth.AddTo).FromSection("Pool");
    bool jobs = settings.Jobs.Store != JobStoreKind.None;
    if (jobs) builder.Services.AddServiceJobs(settings.Jobs, hasKeys: settings.Auth.Keys is not null);
    builder.Services.AddProblems();
    builder.Services.AddPasswords();
    builder.Services.AddTelemetry(builder.Configuration, postgres: settings.Jobs.Store == JobStoreKind.Postgres);
    builder.Services.AddDocumentation(
        asksForKeys: settings.Auth.Keys is not null,
        (ThumbnailEndpoints.Tag, ThumbnailEndpoints.TagDescription),
        (PasswordEndpoints.Tag, PasswordEndpoints.TagDescription),
        (DiagnosticsEndpoints.Tag, DiagnosticsEndpoints.TagDescription));
    builder.Services.AddSingleton<Listeners>();
    builder.Services.AddSingleton<IConnectionListenerFactory, ConnectionListenerFactory>();
    builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<MatcherPolicy, ListenerMatcherPolicy>());

    WebApplication app = builder.Build();
    await using var disposal = new BoundedDisposal(app, TimeSpan.FromMilliseconds(500));
    app.UseSecurityHeaders();
    app.UseExceptionHandler();
    app.UseStatusCodePages();
    app.UseManagementGuard(settings.Auth.Keys);
    app.UseAllowedHosts();
    app.UseOptionsResponses();
    app.UseCorsPolicy(settings.Cors);
    if (settings.Auth.Keys is { } keys) app.UseApiKeys(keys);
    app.UseRequestChecks();
    RouteGroupBuilder routes = app.MapReadable();
    routes.MapWelcome(settings.Diagnostics, jobs, settings.Auth.Keys is not null);
    routes.MapOpenApi();
    RouteGroupBuilder api = routes.MapChecked().KnowJobParameters();
    api.MapThumbnails(jobs);
    api.MapPasswords();
    if (settings.Diagnostics) api.MapDiagnostics(jobs);
    if (jobs) api.MapServiceJobs();
    routes.MapManagement(settings.Diagnostics);

    if (CommandLine.Checks(args)) return SettingsCheck.Run(app);
    try
    {
        await app.StartAsync();
    }
    catch (OperationCanceledException) when (app.Lifetime.ApplicationStopping.IsCancellationRequested)
    {
        // A signal arrived while the host started. The services that have started are stopped, and the stop is logged as usual.
        await app.StopAsync();
        return Environment.ExitCode;
    }
    StartFaults.HasStarted = true;
    if (settings.Auth.Keys is { } ring) PlainKeyWarning.Write(ring.Now, app.Logger);
    else OpenAccessWarning.Write(settings.Urls, app.Logger);
    using ITimer? collection = StartGarbage.CollectLater();
    await app.WaitForShutdownAsync();
    return Environment.ExitCode;
}
catch (OperationCanceledException) when (!StartFaults.HasStarted)
{
    // A signal ended the start.
    return 0;
}
catch (Exception e) when (!StartFaults.HasStarted && e is not HostAbortedException)
{
    await Console.Error.WriteLineAsync(StartFaults.Explain(e, settingFaults));
    return StartFaults.ExitCode;
}
