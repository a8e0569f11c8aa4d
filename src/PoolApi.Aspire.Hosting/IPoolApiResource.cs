namespace Aspire.Hosting.ApplicationModel;

/// <summary>The PoolApi service: <see cref="PoolApiContainerResource"/> or <see cref="PoolApiProgramResource"/>.</summary>
/// <remarks>
/// It has two endpoints: <c>http</c> for the API, and <c>management</c> for the probes, the metrics and the pages. Service discovery finds both.
/// </remarks>
public interface IPoolApiResource : IResourceWithEnvironment, IResourceWithServiceDiscovery, IResourceWithWaitSupport
{
    /// <summary>The name of the endpoint of the API.</summary>
    const string ApiEndpointName = "http";

    /// <summary>The name of the endpoint for the probes, the metrics and the pages.</summary>
    const string ManagementEndpointName = "management";
}

/// <summary>The PoolApi service as a container.</summary>
/// <param name="name">The name of the resource.</param>
public sealed class PoolApiContainerResource(string name) : ContainerResource(name), IPoolApiResource;

/// <summary>The PoolApi service as a program of this machine.</summary>
/// <param name="name">The name of the resource.</param>
/// <param name="program">The path of the program.</param>
/// <param name="workingDirectory">The folder that it starts in. Without the setting <c>Jobs:Path</c>, it keeps its jobs below this folder.</param>
public sealed class PoolApiProgramResource(string name, string program, string workingDirectory)
    : ExecutableResource(name, program, workingDirectory), IPoolApiResource;
