using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>Adds the PoolApi service to an Aspire application.</summary>
/// <remarks>
/// <para>The resource is healthy while the service's <c>/readyz</c> answers 200. It sends its telemetry to Aspire's dashboard. A program has a
/// command that drains it. Any setting of the service is an environment variable: <c>.WithEnvironment("Pool__Workers", "8")</c>.</para>
/// <para>The methods are not thread-safe, as is usual for the application model.</para>
/// </remarks>
public static class PoolApiResourceBuilderExtensions
{
    private const string Image = "poolapi";

    // The ports and the folder of the image: the Dockerfile has them.
    private const int ApiPort = 8080;
    private const int ManagementPort = 8081;
    private const string DataFolder = "/data";

    /// <summary>Adds the service as a container of the image <c>poolapi</c>, in the version of this package.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The name of the resource. Service discovery uses it.</param>
    /// <returns>
    /// The resource, on any free port. <c>WithImage</c>, <c>WithImageTag</c> and <c>WithImageRegistry</c> name another image;
    /// <c>WithEndpoint("http", e => e.Port = 8080)</c> a port.
    /// </returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    public static IResourceBuilder<PoolApiContainerResource> AddPoolApi(this IDistributedApplicationBuilder builder, [ResourceName] string name)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        return builder.AddResource(new PoolApiContainerResource(name))
            .WithImage(Image, typeof(PoolApiResourceBuilderExtensions).Assembly.GetName().Version!.ToString(3))
            .WithHttpEndpoint(targetPort: ApiPort, name: IPoolApiResource.ApiEndpointName)
            .WithHttpEndpoint(targetPort: ManagementPort, name: IPoolApiResource.ManagementEndpointName)
            .WithHealthTelemetryAndNames();
    }

    /// <summary>Adds the service as a program of this machine, such as one that <c>dotnet publish src/PoolApi</c> has made.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The name of the resource. Service discovery uses it.</param>
    /// <param name="program">The path of the program. A relative path starts at the folder of the app host.</param>
    /// <returns>The resource, on any free port. The program starts in its own folder, and listens on the loopback interface only.</returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> or <paramref name="program"/> is empty.</exception>
    public static IResourceBuilder<PoolApiProgramResource> AddPoolApi(this IDistributedApplicationBuilder builder, [ResourceName] string name, string program)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(program);
        string path = Path.GetFullPath(program, builder.AppHostDirectory);
        return builder.AddResource(new PoolApiProgramResource(name, path, Path.GetDirectoryName(path)!))
            .WithHttpEndpoint(name: IPoolApiResource.ApiEndpointName)
            .WithHttpEndpoint(name: IPoolApiResource.ManagementEndpointName)
            .WithAddress("Urls", IPoolApiResource.ApiEndpointName)
            .WithAddress("Management__Urls", IPoolApiResource.ManagementEndpointName)
            .WithHealthTelemetryAndNames()
            // Only the program has this command: the service accepts changes only from its own loopback interface, which Aspire cannot reach in a container.
            .WithHttpCommand("/drain", "Drain", IPoolApiResource.ManagementEndpointName, "drain", new HttpCommandOptions
            {
                Method = HttpMethod.Post,
                Description = "Finish what was accepted, then stop.",
                ConfirmationMessage = "The service takes no more requests and ends.",
                IconName = "ArrowExit",
            });
    }

    /// <summary>Keeps the jobs in a PostgreSQL database, which several instances may share.</summary>
    /// <typeparam name="T">The form of the service.</typeparam>
    /// <param name="builder">The service.</param>
    /// <param name="database">The database, such as the result of <c>AddPostgres("server").AddDatabase("jobs")</c>.</param>
    /// <returns>The service. <c>WaitFor(database)</c> makes it start after the database.</returns>
    public static IResourceBuilder<T> WithJobDatabase<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResourceWithConnectionString> database)
        where T : IPoolApiResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(database);
        return builder.WithEnvironment("Jobs__Store", "postgres").WithEnvironment("Jobs__ConnectionString", database.Resource.ConnectionStringExpression);
    }

    /// <summary>Keeps the jobs of the container in a volume, so that they outlast it.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="name">The name of the volume; derived from the application and the resource if <see langword="null"/>.</param>
    /// <returns>The service.</returns>
    public static IResourceBuilder<PoolApiContainerResource> WithDataVolume(this IResourceBuilder<PoolApiContainerResource> builder, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), DataFolder);
    }

    private static IResourceBuilder<T> WithHealthTelemetryAndNames<T>(this IResourceBuilder<T> builder)
        where T : IPoolApiResource =>
        builder
            .WithHttpHealthCheck("/readyz", endpointName: IPoolApiResource.ManagementEndpointName)
            .WithOtlpExporter()
            // Other containers reach the service under these names: the first in a published application, the others under Aspire.
            .WithEnvironment("Management__AllowedHosts", string.Join(';', builder.Resource.Name, $"{builder.Resource.Name}.dev.internal", "aspire.dev.internal"));

    /// <summary>Makes the program listen on the port that Aspire has chosen for the endpoint.</summary>
    private static IResourceBuilder<T> WithAddress<T>(this IResourceBuilder<T> builder, string setting, string endpoint)
        where T : IPoolApiResource =>
        builder.WithEnvironment(context => context.EnvironmentVariables[setting] =
            ReferenceExpression.Create($"http://127.0.0.1:{builder.GetEndpoint(endpoint).Property(EndpointProperty.TargetPort)}"));
}
