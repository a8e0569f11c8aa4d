using Microsoft.AspNetCore.Routing;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The instruments that the app registers beside those of its pools. They exist from the start of the host.</summary>
internal interface IAppInstruments
{
    /// <summary>Declares the kind of every endpoint to its pool, so that the counters of each kind are exported at 0 from the start.</summary>
    /// <param name="endpoints">The app's endpoints, when all are mapped; <see langword="null"/> in an app without routes.</param>
    /// <exception cref="InvalidOperationException">An attribute names an unknown pool or has an option that is out of its range.</exception>
    void DeclareKinds(EndpointDataSource? endpoints);
}
