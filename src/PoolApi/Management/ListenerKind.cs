namespace PoolApi.Management;

/// <summary>What the port of a request serves.</summary>
[Flags]
internal enum ListenerKind
{
    /// <summary>The API.</summary>
    Api = 1,

    /// <summary>The management routes: metrics, probes, the view of the workers.</summary>
    Management = 2,

    /// <summary>Both: the API and the management share a port, or there is no port (a test server).</summary>
    Both = Api | Management,
}

/// <summary>The port on which an endpoint answers. Endpoints without it answer on the API's.</summary>
internal sealed record ListenerMetadata(ListenerKind Kind);

/// <summary>Marks an endpoint of the API that is left out where the API and the management share a port.</summary>
internal sealed record YieldsToManagementMetadata;
