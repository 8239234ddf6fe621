"""Spark Structured Streaming over the filled topic: JSON, windows of 30 s, a watermark of 1 minute, averages to Parquet.

Arguments: the folder of the Kafka connector's jars, how many events a micro-batch reads, and the work as JSON. The last line on
standard output is the measurement
as JSON. Nothing of the product's other work is asked for: no Z-scores, no models, no forecasts.
"""

import json
import os
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import DoubleType, StringType, StructField, StructType, TimestampType

EVENT = StructType(
    [
        StructField("device_id", StringType()),
        StructField("timestamp", TimestampType()),
        StructField("temperature", DoubleType()),
        StructField("humidity", DoubleType()),
        StructField("pressure", DoubleType()),
    ]
)


def main(jars, events_per_trigger, work):
    begun = time.time()
    spark = (
        SparkSession.builder.master("local[*]")
        .appName("bench-stream")
        .config("spark.jars", ",".join(os.path.join(jars, name) for name in sorted(os.listdir(jars))))
        .config("spark.driver.memory", "4g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        # As many as the topic has partitions; Spark's own 200 would drown in bookkeeping.
        .config("spark.sql.shuffle.partitions", str(work["partitions"]))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    events = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", work["brokers"])
        .option("subscribe", work["topic"])
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", events_per_trigger)
        .load()
    )
    windows = (
        events.select(f.from_json(f.col("value").cast("string"), EVENT).alias("event"))
        .select("event.*")
        .withWatermark("timestamp", "1 minute")
        .groupBy(f.window("timestamp", "30 seconds"), "device_id")
        .agg(f.avg("temperature").alias("avg"), f.count("temperature").alias("count"))
    )
    result = os.path.join(work["folder"], "windows")
    java = int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
    cpu_before = cpu_seconds(java)
    started = time.time()
    query = (
        windows.writeStream.format("parquet")
        .outputMode("append")
        .option("path", result)
        .option("checkpointLocation", os.path.join(work["folder"], "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    seconds = time.time() - started
    cpu_after = cpu_seconds(java)
    measurement = {
        "seconds": seconds,
        "setupSeconds": started - begun,
        "cpuSeconds": None if cpu_after is None or cpu_before is None else cpu_after - cpu_before,
        "peakMegabytes": peak_megabytes(java),
        "events": sum(progress["numInputRows"] for progress in query.recentProgress),
        "rows": spark.read.parquet(result).count(),
    }
    spark.stop()
    print(json.dumps(measurement), flush=True)


def cpu_seconds(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return None


def peak_megabytes(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM:"))
    except OSError:
        return None


main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
