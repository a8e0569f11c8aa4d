using BenchmarkDotNet.Running;
using PoolApi.MicroBenchmarks;

BenchmarkSwitcher.FromAssembly(typeof(SubmitBenchmarks).Assembly).Run(args);
