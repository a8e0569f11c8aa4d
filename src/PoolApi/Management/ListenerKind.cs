namespace PoolApi.Management;

/// <summary>What the port serves that a request came in on.</summary>
[Flags]
internal enum ListenerKind
{
    /// <summary>The API.</summary>
    Api = 1,

    /// <summary>The management routes: metrics, probes, the view of the workers.</summary>
    Management = 2,

    /// <summary>Both, where there is one port for both, or none at all (a test server).</summary>
    Both = Api | Management,
}

/// <summary>Says on which port an endpoint answers. Endpoints without it answer on the API's.</summary>
internal sealed record ListenerMetadata(ListenerKind Kind);

/// <summary>Marks the endpoint that gives way where the API and the management share a port.</summary>
internal sealed record YieldsToManagementMetadata;
